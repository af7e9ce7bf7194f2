"""What a runtime says of its own operators: one inference at a time, in the order in which they ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..errors import RunnerError
from ..files.durable import SENSELESS

if TYPE_CHECKING:
    from ..model.tensors import Array, Call


class OperatorRun(NamedTuple):
    """One operator of one inference. `delegate` is None where the runtime's own kernel ran it."""

    kind: str
    name: str
    delegate: str | None
    ns: int


class Inference(NamedTuple):
    """`whole_ns` is what the runtime says the inference took, tracing included."""

    whole_ns: int
    operators: list[OperatorRun]


class Trace(Protocol):
    """A model loaded so that its runtime traces it."""

    note: str
    """What to know of its numbers; empty if there is nothing."""

    @property
    def call(self) -> Call: ...

    def inferences(self) -> list[Inference]:
        """Those of every call so far, and the end of tracing."""
        ...


def read(trace: Trace) -> list[Inference]:
    """Every inference that was traced. Raises RunnerError (run) if what the runtime wrote makes no sense."""
    try:
        return trace.inferences()
    except (*SENSELESS, RunnerError, StopIteration, RecursionError) as error:
        raise RunnerError("run", f"the runtime's trace cannot be read: {type(error).__name__}: {error}") from error


def numbered(operators: Sequence[OperatorRun]) -> list[OperatorRun]:
    """The same, those without a name named by their kind and which of that kind they are: `Add #2`."""
    seen: Counter[str] = Counter()
    named = []
    for operator in operators:
        seen[operator.kind] += 1
        named.append(operator._replace(name=operator.name or f"{operator.kind} #{seen[operator.kind]}"))
    return named


class Untraced:
    """A runtime that has no tool for it: only the whole is known, as the clock here saw it."""

    def __init__(self, call: Call, note: str) -> None:
        self._call, self.note = call, note
        self._whole_ns: list[int] = []

    def call(self, inputs: Sequence[Array]) -> list[Array]:
        started = perf_counter_ns()
        outputs = self._call(inputs)
        self._whole_ns.append(perf_counter_ns() - started)
        return outputs

    def inferences(self) -> list[Inference]:
        return [Inference(whole_ns, []) for whole_ns in self._whole_ns]
