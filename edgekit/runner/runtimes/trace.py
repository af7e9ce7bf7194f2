"""Operator traces of a runtime: inference by inference, operators in the order in which they ran."""

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
    """One traced inference. `whole_ns` is its time by the runtime's own clock, tracing included."""

    whole_ns: int
    operators: list[OperatorRun]


class Trace(Protocol):
    """A model that was loaded for tracing by its runtime."""

    note: str
    """Remark on the accuracy of its times; empty if there is none."""

    @property
    def call(self) -> Call: ...

    def inferences(self) -> list[Inference]:
        """End tracing, and return the inferences of every call so far."""
        ...


def read(trace: Trace) -> list[Inference]:
    """Read every inference that was traced. Raises RunnerError (run) if the runtime's trace cannot be read."""
    try:
        return trace.inferences()
    except (*SENSELESS, RunnerError, StopIteration, RecursionError) as error:
        raise RunnerError("run", f"the runtime's trace cannot be read: {type(error).__name__}: {error}") from error


def numbered(operators: Sequence[OperatorRun]) -> list[OperatorRun]:
    """Name the operators that have no name by their kind and its count: `Add #2`."""
    seen: Counter[str] = Counter()
    named = []
    for operator in operators:
        seen[operator.kind] += 1
        named.append(operator._replace(name=operator.name or f"{operator.kind} #{seen[operator.kind]}"))
    return named


class Untraced:
    """Trace by a runtime that has no profiler: the time of a whole inference only, by this program's clock."""

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
