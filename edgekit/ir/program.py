"""Program: the exported model that flows through the compiler, with the history of its passes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgekit.ir.signature import Signature

if TYPE_CHECKING:
    from torch.export import ExportedProgram


WARNING = "warning"
"""Option of a pass record that holds a warning for readers of the report."""
REMARK = "remark"
"""Option of a pass record that holds a sentence for readers of the report that warns of nothing."""


@dataclass(frozen=True)
class PassRecord:
    """Provenance of one pass: its name, its options and findings, and its effect on the outputs."""

    name: str
    options: tuple[tuple[str, str], ...]
    seconds: float
    sqnr_db: float
    """Signal to quantization noise of the outputs against the program before the pass, in dB; infinite when equal."""


@dataclass(frozen=True)
class Program:
    """Exported model (batch 1), with its signature and history."""

    exported: ExportedProgram
    signature: Signature
    history: tuple[PassRecord, ...] = ()
    prefill: tuple[Program, ...] = ()
    """Programs of the same network that read several tokens at once, in the order of `signature.prefill`."""

    @property
    def entries(self) -> tuple[Program, ...]:
        """Programs of all entry points: this one, which reads a single token, then those that read several."""
        return (self, *self.prefill)

    def then(self, exported: ExportedProgram, record: PassRecord) -> Program:
        """Program after one more pass."""
        return replace(self, exported=exported, history=(*self.history, record))
