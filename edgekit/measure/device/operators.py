"""Which operators take the time: each by itself, as the runtime traced them in a run of their own."""

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
from edgekit.measure.device.session import asking
from edgekit.measure.device.wall_clock import check_real_time
from edgekit.samples import Samples

COUNT = 100
"""Inferences that are traced if nobody says how many."""
WARM_UP_COUNT = 8


@dataclass(frozen=True)
class OperatorTime:
    """One operator of the loaded graph, fused as the runtime fuses them."""

    name: str
    kind: str
    """The runtime's own word for it, such as `QLinearConv`, `CONV_2D`, `Convolution (NHWC, QC8) IGEMM`."""
    delegate: str | None
    """Who ran it, as targets name delegates; None if it fell back to the runtime's own kernel."""
    ns: float
    """What it takes in one inference. Times add up, as medians do not."""
    share: float
    """Of the whole inference, in [0, 1]."""


@dataclass(frozen=True)
class Operators:
    """Where one inference spends its time while it is traced: proportions, and no latency, for tracing takes time too.

    Means over the middle half of the inferences, by what they took as a whole: what a disturbance made long is not in
    it, and the operators still add up to no more than the whole.
    """

    format: str
    runtime: str
    threads: int
    count: int
    """Inferences that were traced."""
    rows: tuple[OperatorTime, ...]
    """In the order in which they run; empty where the runtime has no tool for it."""
    whole_ns: float
    note: str
    """What to know of these numbers, by the runtime's own limits."""

    @property
    def others_ns(self) -> float:
        """What no operator accounts for: dispatch, copies between delegates, and the tracing itself."""
        return self.whole_ns - sum(row.ns for row in self.rows)

    @property
    def fallback(self) -> float | None:
        """Share of the operators' time that no delegate took, in [0, 1]; None where no operator took any."""
        total = sum(row.ns for row in self.rows)
        return sum(row.ns for row in self.rows if row.delegate is None) / total if total else None

    def top(self, count: int) -> tuple[OperatorTime, ...]:
        """Those that take the most, the longest first."""
        return tuple(sorted(self.rows, key=lambda row: -row.ns)[:count])


def operators(installation: Installation, samples: Samples, count: int = COUNT, threads: int = 1) -> Operators:
    """Trace `count` inferences there, over the first of the samples in their order.

    Raises ProbeError if the run fails or the device is emulated, DeviceBusy, Unreachable, StorageError.
    """
    check_real_time(installation.transport)
    with asking(installation) as asked:
        asked.send(cycled(samples), "cycled")
        argv = ("--count", count, "--threads", threads)
        answer = asked.ask(Traced, "operators", "cycled", *argv, timeout=asked.limit(count + WARM_UP_COUNT))
        if answer.count != count:
            raise ProbeError(f"{answer.count} inferences were traced, and {count} were asked for")
        whole_ns = asked.integers("whole_ns", count)
        return _summed(answer, whole_ns, asked.integers("operator_ns", count, len(answer.operators)))


def chrome_trace(found: Operators) -> str:
    """One inference for chrome://tracing and Perfetto: JSON of the Trace Event Format, a thread a delegate.

    The operators lie one after another as they run, each as long as it takes; gaps between them are at the end.
    https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (complete events, microseconds).
    """
    lanes = {name: i for i, name in enumerate(dict.fromkeys(["inference", *map(_lane, found.rows)]))}
    events: list[dict[str, Any]] = [_named("process_name", 0, f"{found.format} by {found.runtime}")]
    events += [_named("thread_name", lane, name) for name, lane in lanes.items()]
    whole = {"count": found.count, "threads": found.threads, "note": found.note}
    events.append(_complete("inference", found.format, 0, 0.0, found.whole_ns, whole))
    start_ns = 0.0
    for row in found.rows:
        facts = {"kind": row.kind, "share": row.share}
        events.append(_complete(row.name, row.kind, lanes[_lane(row)], start_ns, row.ns, facts))
        start_ns += row.ns
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}, allow_nan=False) + "\n"


def _summed(answer: Traced, whole_ns: Array, operator_ns: Array) -> Operators:
    middle = np.argsort(whole_ns, kind="stable")[answer.count // 4 : answer.count - answer.count // 4]
    whole = float(whole_ns[middle].mean())
    times = operator_ns[middle].mean(axis=0)
    rows = tuple(
        OperatorTime(said.name, said.kind, said.delegate, float(ns), float(ns) / whole if whole else 0.0)
        for said, ns in zip(answer.operators, times, strict=True)
    )
    return Operators(answer.format, answer.runtime, answer.threads, answer.count, rows, whole, answer.note)


def _lane(row: OperatorTime) -> str:
    return row.delegate or "fallback"


def _complete(name: str, kind: str, lane: int, start_ns: float, ns: float, facts: dict[str, Any]) -> dict[str, Any]:
    place = {"ph": "X", "pid": 1, "tid": lane, "ts": start_ns / 1000, "dur": ns / 1000}
    return {"name": name, "cat": kind, **place, "args": facts}


def _named(what: str, lane: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": 1, "tid": lane, "args": {"name": name}}
