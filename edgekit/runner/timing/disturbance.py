"""Disturbance of a latency run, sampled between inferences: other programs, run queue, clocks, heat, power."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from ..machine.conditions import quick
from ..machine.energy import EnergyMeter
from .run_queue import waited_ns

LEAST_NS = 100_000_000
"""Shortest span of which others' load is told: the kernel counts busy time in ticks of mostly 10 ms, core by core."""


class DisturbanceWatch:
    """Observer of the machine at the end of each span of a run: `loop.single_stream` calls `start` and `look`."""

    def __init__(self, meter: EnergyMeter | None = None) -> None:
        self.spans: list[dict[str, Any]] = []
        """Observations, one a span, with the fields of `edgekit.ir.measurement.Watched`."""
        self._meter = meter
        self._before = _reading()

    def start(self) -> None:
        quick()  # the first one opens files
        if self._meter:
            self._meter.start()
        self._before = _reading()

    def energy(self) -> dict[str, Any] | None:
        """Stop the meter, and return its reading since the start; None without one."""
        return self._meter.stop() if self._meter else None

    def look(self, at_ns: int, count: int) -> None:
        """Record the span that ends now, except a last one shorter than LEAST_NS, unless it is the only one."""
        before, after = self._before, _reading()
        wall_ns = after["wall_ns"] - before["wall_ns"]
        short = wall_ns < LEAST_NS
        if wall_ns <= 0 or (short and self.spans):
            return
        busy, own, waited = (_change(before[name], after[name]) for name in ("busy_ns", "own_ns", "waited_ns"))
        others = None if short or busy is None or own is None else max(0.0, busy - own) / wall_ns
        span = {"others_cores": others, "waited": None if waited is None else waited / wall_ns}
        self.spans.append({"at_ns": at_ns, "count": count, **span, **quick()})
        if self._meter:
            self._meter.look()
        # What the look itself takes is in no span.
        self._before = _reading()


def _reading() -> dict[str, Any]:
    return {
        "wall_ns": time.perf_counter_ns(),
        "own_ns": time.process_time_ns(),
        "busy_ns": busy_ns(),
        "waited_ns": waited_ns(),
    }


def _change(before: int | None, after: int | None) -> int | None:
    # A thread that ends takes what it waited with it.
    return None if before is None or after is None else max(0, after - before)


def busy_ns() -> int | None:
    """Nanoseconds that all cores were busy since boot, time stolen by other guests of a hypervisor included."""
    try:
        match = re.match(r"cpu +(.+)", Path("/proc/stat").read_text("ascii", "replace"))
    except OSError:
        return None
    if not match:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, match.group(1).split()[:8])
    return (user + nice + system + irq + softirq + steal) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
