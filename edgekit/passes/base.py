"""Interface of passes: rewrites of an exported program that are checked and recorded."""

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
    """Inputs of one call, in the signature's order, batch 1."""


@dataclass(frozen=True)
class Rewritten:
    """Result of a rewrite: a new program, with findings for its record."""

    exported: ExportedProgram
    findings: tuple[tuple[str, str], ...] = ()
    """Names and values, recorded after the options of the pass."""


@dataclass(frozen=True)
class Pass(ABC):
    """Named rewrite of an exported program: a frozen dataclass whose fields are its options.

    To write a pass:

    1. Derive a frozen dataclass, with its `name` as the program's history shall show it. Every field is an option.
    2. Return a new program from `rewrite`. `exported.module()` is a copy of the graph, which you may change. Its
       constants are those of `exported`: replace them, never write into them. `frontend.canonical.exported_again`
       exports the changed copy. Return `Rewritten` if the record shall hold findings.
    3. Raise PassError, with a hint, from `requires` if the pass cannot start from a program, and from `ensures` if the
       result is not as promised. Both may be left out.
    4. Override `options` if a field has no short text, such as a list of samples.
    5. Call it from the stage that needs it: `program = DropDropout()(program, checks)`. There is no registry.

    The call compares the outputs before and after on `checks` and appends a `PassRecord` with their SQNR. Example::

        @dataclass(frozen=True)
        class DropDropout(Pass):
            name: ClassVar[str] = "drop-dropout"

            def rewrite(self, exported: ExportedProgram) -> ExportedProgram:
                module = exported.module()
                for node in list(module.graph.nodes):
                    if node.target is torch.ops.aten.dropout.default:
                        node.replace_all_uses_with(node.args[0])
                        module.graph.erase_node(node)
                module.recompile()
                return exported_again(module, exported)
    """

    name: ClassVar[str]
    """Name in the program's history and in errors, such as `fold-batch-norm`."""

    def requires(self, exported: ExportedProgram) -> None:
        """Raise `PassError` if the pass cannot start from here."""

    @abstractmethod
    def rewrite(self, exported: ExportedProgram) -> ExportedProgram | Rewritten:
        """Return a new program; leave `exported` as it was."""

    def ensures(self, exported: ExportedProgram) -> None:
        """Raise `PassError` if the result is not what the pass promises."""

    def options(self) -> tuple[tuple[str, str], ...]:
        """Names and values of the options for the record: plain text, the same for the same options."""
        return tuple((field.name, str(getattr(self, field.name))) for field in fields(self))

    def __call__(self, program: Program, checks: Sequence[Sample]) -> Program:
        """Rewrite `program`, compare its outputs before and after on `checks`, and append a record to its history.

        checks: samples, inputs of one call each. Raises PassError if `requires` or `ensures` does, if the rewrite
        fails, or if an output is not finite, before or after.
        """
        started = time.perf_counter()
        with one_thread():
            before = _finite_answers(program.exported, checks)
            result = self._rewritten(program)
            quality = sqnr_db(before, outputs(result.exported, checks))
        if math.isnan(quality):
            raise PassError(f"pass '{self.name}' made outputs that are not finite", hint="check the calibration set")
        options = (*self.options(), *result.findings)
        record = PassRecord(self.name, options, time.perf_counter() - started, round(quality, 2))
        return program.then(result.exported, record)

    def _rewritten(self, program: Program) -> Rewritten:
        try:
            self.requires(program.exported)
            result = self.rewrite(program.exported)
            rewritten = result if isinstance(result, Rewritten) else Rewritten(result)
            self.ensures(rewritten.exported)
        except EdgekitError:
            raise
        except Exception as error:
            before = ", ".join(record.name for record in program.history) or "none"
            raise PassError(f"pass '{self.name}' failed (passes before it: {before}): {in_a_line(error)}") from error
        return rewritten


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one thread: sums are then added in the same order everywhere, and other cores stay free."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def outputs(exported: ExportedProgram, samples: Sequence[Sample]) -> Array:
    """Outputs of all samples, flattened into one array."""
    return np.concatenate(_each_answer(exported, samples) or [np.empty(0)])


def _each_answer(exported: ExportedProgram, samples: Sequence[Sample]) -> list[Array]:
    """Outputs of each sample, flattened into one array."""
    import torch
    from torch.utils import _pytree as pytree

    module = exported.module()
    with torch.no_grad():
        leaves = [pytree.tree_leaves(module(*sample)) for sample in samples]
    return [np.concatenate([leaf.numpy().ravel() for leaf in each] or [np.empty(0)]) for each in leaves]


def _finite_answers(exported: ExportedProgram, samples: Sequence[Sample]) -> Array:
    """Outputs as `outputs` has them. Raises PassError if they are not finite before a pass has changed anything."""
    answers = _each_answer(exported, samples)
    broken = [index for index, answer in enumerate(answers) if not np.isfinite(answer).all()]
    if broken:
        raise PassError(
            f"the network itself answers NaN or infinity, on {len(broken)} of the {len(answers)} samples that passes "
            f"are checked on, first on number {broken[0]}",
            hint="look at its logarithms, roots and divisions, and at those samples: the first of the evaluation set",
        )
    return np.concatenate(answers or [np.empty(0)])
