"""Time of each operator of a model, from the runtime's own trace in a separate run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.devices.flash import Installation
from edgekit.devices.measurement_protocol import Traced
from edgekit.errors import ProbeError
from edgekit.ir.measurement import Array
from edgekit.measure.device.processes import cycled
from edgekit.measure.device.session import probe_session
from edgekit.measure.device.wall_clock import check_real_time
from edgekit.samples import Samples

COUNT = 100
"""Default number of traced inferences."""
WARM_UP_COUNT = 8


@dataclass(frozen=True)
class OperatorTime:
    """One operator of the loaded graph, fused as the runtime fuses them."""

    name: str
    kind: str
    """The runtime's own word for it, such as `QLinearConv`, `CONV_2D`, `Convolution (NHWC, QC8) IGEMM`."""
    delegate: str | None
    """Delegate that ran it, as targets name delegates; None if it fell back to the runtime's own kernel."""
    ns: float
    """Mean nanoseconds in one inference. Means are used because they add up, as medians do not."""
    share: float
    """Share of the whole inference, in [0, 1]."""


@dataclass(frozen=True)
class Operators:
    """Times of the operators of one traced inference. They are proportions, not latency, as tracing itself takes time.

    Each is a mean over the middle half of the inferences, ordered by their whole time: inferences that a disturbance
    made long are left out, and the operators still add up to no more than the whole.
    """

    format: str
    runtime: str
    threads: int
    count: int
    """Inferences that were traced."""
    rows: tuple[OperatorTime, ...]
    """Operators in the order in which they run; empty where the runtime cannot trace them."""
    whole_ns: float
    """Mean time of a whole traced inference."""
    note: str
    """Limits of the runtime's trace, as a sentence for the reader of these numbers."""

    @property
    def others_ns(self) -> float:
        """Time outside of all operators: dispatch, copies between delegates, and the tracing itself."""
        return self.whole_ns - sum(row.ns for row in self.rows)

    @property
    def fallback(self) -> float | None:
        """Share of the operators' time that no delegate took, in [0, 1]; None where no operator took any."""
        total = sum(row.ns for row in self.rows)
        return sum(row.ns for row in self.rows if row.delegate is None) / total if total else None

    def top(self, count: int) -> tuple[OperatorTime, ...]:
        """Select the `count` operators that take the most time, the longest first."""
        return tuple(sorted(self.rows, key=lambda row: -row.ns)[:count])


def operators(installation: Installation, samples: Samples, count: int = COUNT, threads: int = 1) -> Operators:
    """Trace `count` inferences on the device, over the first of `samples` in their order, with `threads` threads.

    Raises ProbeError if the run fails or the device is emulated, DeviceBusy, Unreachable, StorageError.
    """
    check_real_time(installation.transport)
    with probe_session(installation) as session:
        session.send(cycled(samples), "cycled")
        argv = ("--count", count, "--threads", threads)
        answer = session.ask(Traced, "operators", "cycled", *argv, timeout=session.limit(count + WARM_UP_COUNT))
        if answer.count != count:
            raise ProbeError(f"{answer.count} inferences were traced, and {count} were asked for")
        whole_ns = session.integers("whole_ns", count)
        return _summed(answer, whole_ns, session.integers("operator_ns", count, len(answer.operators)))


def chrome_trace(operators: Operators) -> str:
    """Format one inference as JSON of the Trace Event Format, for chrome://tracing and Perfetto: one lane per delegate.

    The operators lie one after another as they run, each as long as it takes; gaps between them are at the end.
    https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (complete events, microseconds).
    """
    lanes = {name: i for i, name in enumerate(dict.fromkeys(["inference", *map(_lane, operators.rows)]))}
    events: list[dict[str, Any]] = [_named("process_name", 0, f"{operators.format} by {operators.runtime}")]
    events += [_named("thread_name", lane, name) for name, lane in lanes.items()]
    whole = {"count": operators.count, "threads": operators.threads, "note": operators.note}
    events.append(_complete("inference", operators.format, 0, 0.0, operators.whole_ns, whole))
    start_ns = 0.0
    for row in operators.rows:
        facts = {"kind": row.kind, "share": row.share}
        events.append(_complete(row.name, row.kind, lanes[_lane(row)], start_ns, row.ns, facts))
        start_ns += row.ns
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}, allow_nan=False) + "\n"


def _summed(answer: Traced, whole_ns: Array, operator_ns: Array) -> Operators:
    middle = np.argsort(whole_ns, kind="stable")[answer.count // 4 : answer.count - answer.count // 4]
    whole = float(whole_ns[middle].mean())
    times = operator_ns[middle].mean(axis=0)
    rows = tuple(
        OperatorTime(traced.name, traced.kind, traced.delegate, float(ns), float(ns) / whole if whole else 0.0)
        for traced, ns in zip(answer.operators, times, strict=True)
    )
    return Operators(answer.format, answer.runtime, answer.threads, answer.count, rows, whole, answer.note)


def _lane(row: OperatorTime) -> str:
    return row.delegate or "fallback"


def _complete(name: str, kind: str, lane: int, start_ns: float, ns: float, facts: dict[str, Any]) -> dict[str, Any]:
    place = {"ph": "X", "pid": 1, "tid": lane, "ts": start_ns / 1000, "dur": ns / 1000}
    return {"name": name, "cat": kind, **place, "args": facts}


def _named(what: str, lane: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": 1, "tid": lane, "args": {"name": name}}
