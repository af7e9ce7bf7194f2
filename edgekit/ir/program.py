"""The one thing that flows through the compiler."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgekit.ir.signature import Signature

if TYPE_CHECKING:
    from torch.export import ExportedProgram


WARNING = "warning"
"""The option of a pass record that says what people must know before they believe the numbers."""


@dataclass(frozen=True)
class PassRecord:
    """What one pass did, kept as provenance."""

    name: str
    options: tuple[tuple[str, str], ...]
    seconds: float
    sqnr_db: float
    """Signal to quantization noise of the outputs against the program before the pass, in dB; infinite when equal."""


@dataclass(frozen=True)
class Program:
    """An exported model (batch 1), what its edges are, and how it got here."""

    exported: ExportedProgram
    signature: Signature
    history: tuple[PassRecord, ...] = ()

    def then(self, exported: ExportedProgram, record: PassRecord) -> Program:
        return replace(self, exported=exported, history=(*self.history, record))
