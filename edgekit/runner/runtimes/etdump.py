"""Reader of ExecuTorch's ETDump: the kernels and delegates that ran, with their times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..files.flatbuffer import Table
from .trace import Inference, OperatorRun, numbered

TRACE, PROGRAM = b"ED00", b"ET12"
# Names of events in ExecuTorch 1.5.1: runtime/executor/method.cpp, codegen/gen.py.
WHOLE, KERNEL, DELEGATE = "Method::execute", "native_call_", "DELEGATE_CALL"
NOTE = "XNNPACK counts whole microseconds: each of its operators may have taken up to one more"


class TraceEvent(NamedTuple):
    """One span in the trace, in nanoseconds."""

    name: str
    instruction: int
    inner: str
    """Name of the delegate's operator; empty for an event of the runtime itself."""
    ns: int


def inferences(trace: bytes, program: bytes) -> list[Inference]:
    """Read every inference in a trace of the program, in order. Raises ValueError if trace or program is damaged."""
    delegates = _delegates(program)
    # The file's length stands before the table.
    runs = (list(_events(run)) for run in Table.root(trace[4:], TRACE).tables(1))
    return [_inference(events, delegates) for events in runs if any(event.name == WHOLE for event in events)]


def _inference(events: list[TraceEvent], delegates: dict[int, str]) -> Inference:
    whole_ns = sum(event.ns for event in events if event.name == WHOLE)
    opened = {event.instruction for event in events if event.inner}
    operators = []
    for event in events:
        delegate = delegates.get(event.instruction, "delegate")
        if event.inner:
            operators.append(OperatorRun(_unnumbered(event.inner), "", delegate, event.ns))
        elif event.name.startswith(KERNEL):
            operators.append(OperatorRun(event.name[len(KERNEL) :], "", None, event.ns))
        elif event.name == DELEGATE and event.instruction not in opened:
            # A delegate that says nothing of its inside is one operator.
            operators.append(OperatorRun("partition", "", delegate, event.ns))
    return Inference(whole_ns, numbered(operators))


def _events(run: Table) -> Iterator[TraceEvent]:
    """The spans of one run. Fields: devtools/etdump/etdump_schema_flatcc.fbs."""
    for entry in run.tables(3):
        event = entry.table(0)
        if event is not None:
            name, inner, number = event.text(0), event.text(4), event.number(3, "i", -1)
            if number >= 0:
                inner = inner or name or f"{number}"
            yield TraceEvent(name, event.number(2, "i", -1), inner, event.number(7, "Q") - event.number(6, "Q"))


def _delegates(program: bytes) -> dict[int, str]:
    """Delegate that each instruction calls, by the instruction's number. Fields: schema/program.fbs."""
    plan = next(Table.root(program, PROGRAM).tables(1))
    names = [delegate.text(0) for delegate in plan.tables(7)]
    delegates = {}
    for number, instruction in enumerate(next(plan.tables(5)).tables(2)):
        call = instruction.table(1)
        if instruction.number(0, "B") == 2 and call is not None:
            delegates[number] = _delegate_name(names[call.number(0, "i")])
    return delegates


def _delegate_name(identifier: str) -> str:
    """Name of a delegate in targets: `xnnpack` of `XnnpackBackend`."""
    return identifier.removesuffix("Backend").lower()


def _unnumbered(name: str) -> str:
    kind, _, number = name.rpartition(" #")
    return kind if number.isdecimal() else name
