"""What ExecuTorch traced, read off its ETDump and its program: which kernel ran, on whose behalf, for how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..files.flatbuffer import Table
from .trace import Inference, OperatorRun, numbered

TRACE, PROGRAM = b"ED00", b"ET12"
# What ExecuTorch 1.5.1 names its events: runtime/executor/method.cpp, codegen/gen.py.
WHOLE, KERNEL, DELEGATE = "Method::execute", "native_call_", "DELEGATE_CALL"
NOTE = "XNNPACK counts whole microseconds: each of its operators may have taken up to one more"


class TraceEvent(NamedTuple):
    """One span in the trace, in nanoseconds."""

    name: str
    instruction: int
    inner: str
    """The delegate's own name of what it ran; empty for what the runtime itself did."""
    ns: int


def inferences(trace: bytes, program: bytes) -> list[Inference]:
    """Every inference in a trace of the program, in order. Raises ValueError if one of them is damaged."""
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
    """Which delegate an instruction calls, by its number. Fields: schema/program.fbs."""
    plan = next(Table.root(program, PROGRAM).tables(1))
    names = [delegate.text(0) for delegate in plan.tables(7)]
    delegates = {}
    for number, instruction in enumerate(next(plan.tables(5)).tables(2)):
        call = instruction.table(1)
        if instruction.number(0, "B") == 2 and call is not None:
            delegates[number] = _plain(names[call.number(0, "i")])
    return delegates


def _plain(identifier: str) -> str:
    """As targets name it: `xnnpack` of `XnnpackBackend`."""
    return identifier.removesuffix("Backend").lower()


def _unnumbered(name: str) -> str:
    kind, _, number = name.rpartition(" #")
    return kind if number.isdecimal() else name
