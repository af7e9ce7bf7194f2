"""The pass interface."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

from edgekit.errors import EdgekitError, PassError
from edgekit.ir.program import PassRecord, Program

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    Sample = tuple[Tensor, ...]
    """One call's inputs, in the signature's order, batch 1."""


@dataclass(frozen=True)
class Pass(ABC):
    """A named rewrite of an exported program. Its fields are its options."""

    name: ClassVar[str]

    def requires(self, exported: ExportedProgram) -> None:
        """Raise `PassError` if the pass cannot start from here."""

    @abstractmethod
    def rewrite(self, exported: ExportedProgram) -> ExportedProgram:
        """Return a new program; leave `exported` as it was."""

    def ensures(self, exported: ExportedProgram) -> None:
        """Raise `PassError` if the result is not what the pass promises."""

    def options(self) -> tuple[tuple[str, str], ...]:
        """What to write down about this run: plain text, the same for the same options."""
        return tuple((field.name, str(getattr(self, field.name))) for field in fields(self))

    def __call__(self, program: Program, checks: Sequence[Sample]) -> Program:
        """Rewrite `program`, verify its numbers on the samples `checks`, and record what was done.

        Raises PassError if the contract is broken, if the rewrite fails, or if an output is not finite.
        """
        started = time.perf_counter()
        try:
            self.requires(program.exported)
            exported = self.rewrite(program.exported)
            self.ensures(exported)
        except EdgekitError:
            raise
        except Exception as error:
            before = ", ".join(record.name for record in program.history) or "none"
            raise PassError(f"pass '{self.name}' failed (passes before it: {before}): {error}") from error
        quality = sqnr_db(program.exported, exported, checks)
        if math.isnan(quality):
            raise PassError(f"pass '{self.name}' made outputs that are not finite", hint="check the calibration set")
        record = PassRecord(self.name, self.options(), time.perf_counter() - started, quality)
        return program.then(exported, record)


def sqnr_db(reference: ExportedProgram, candidate: ExportedProgram, samples: Sequence[Sample]) -> float:
    """Signal to quantization noise over all outputs of all samples, in dB: infinite if equal, NaN if not finite."""
    import torch

    before, after = reference.module(), candidate.module()
    signal, noise = 0.0, 0.0
    with torch.no_grad():
        for sample in samples:
            for old, new in zip(_outputs(before(*sample)), _outputs(after(*sample)), strict=True):
                signal += float(old.double().square().sum())
                noise += float((old.double() - new.double()).square().sum())
    if not math.isfinite(signal) or not math.isfinite(noise):
        return math.nan
    return math.inf if noise == 0 else 10 * math.log10(signal / noise) if signal else -math.inf


def _outputs(result: object) -> list[Tensor]:
    from torch.utils import _pytree as pytree

    leaves: list[Tensor] = pytree.tree_leaves(result)
    return leaves
