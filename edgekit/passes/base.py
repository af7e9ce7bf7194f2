"""The pass interface."""

from __future__ import annotations

import contextlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from edgekit.errors import EdgekitError, PassError
from edgekit.ir.measurement import Array
from edgekit.ir.program import PassRecord, Program
from edgekit.ir.sqnr import sqnr_db
from edgekit.specs.factory import in_a_line

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    Sample = tuple[Tensor, ...]
    """One call's inputs, in the signature's order, batch 1."""


@dataclass(frozen=True)
class Rewritten:
    """A new program, and what the pass found out on the way to it."""

    exported: ExportedProgram
    findings: tuple[tuple[str, str], ...] = ()
    """Recorded behind the pass's options."""


@dataclass(frozen=True)
class Pass(ABC):
    """A named rewrite of an exported program. Its fields are its options."""

    name: ClassVar[str]

    def requires(self, exported: ExportedProgram) -> None:
        """Raise `PassError` if the pass cannot start from here."""

    @abstractmethod
    def rewrite(self, exported: ExportedProgram) -> ExportedProgram | Rewritten:
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
        with one_thread():
            made = self._rewritten(program)
            quality = sqnr_db(outputs(program.exported, checks), outputs(made.exported, checks))
        if math.isnan(quality):
            raise PassError(f"pass '{self.name}' made outputs that are not finite", hint="check the calibration set")
        options = (*self.options(), *made.findings)
        record = PassRecord(self.name, options, time.perf_counter() - started, round(quality, 2))
        return program.then(made.exported, record)

    def _rewritten(self, program: Program) -> Rewritten:
        try:
            self.requires(program.exported)
            result = self.rewrite(program.exported)
            made = result if isinstance(result, Rewritten) else Rewritten(result)
            self.ensures(made.exported)
        except EdgekitError:
            raise
        except Exception as error:
            before = ", ".join(record.name for record in program.history) or "none"
            raise PassError(f"pass '{self.name}' failed (passes before it: {before}): {in_a_line(error)}") from error
        return made


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """The same sums in the same order everywhere; and a converter may be at work on the other cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def outputs(exported: ExportedProgram, samples: Sequence[Sample]) -> Array:
    """Every output of every sample, flattened into one float array."""
    import torch
    from torch.utils import _pytree as pytree

    module = exported.module()
    with torch.no_grad():
        leaves = [leaf for sample in samples for leaf in pytree.tree_leaves(module(*sample))]
    return np.concatenate([leaf.numpy().ravel() for leaf in leaves] or [np.empty(0)])
