"""What surrounds a latency run, looked at between inferences: other programs, waiting, clocks, heat, power."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from ..machine.conditions import quick
from ..machine.energy import EnergyMeter
from .run_queue import waited_ns

# The kernel counts what cores were busy in ticks, of 10 ms mostly, each core by itself: less tells nothing of others.
LEAST_NS = 100_000_000


class DisturbanceWatch:
    """Looks at the machine at the end of each span: `timing.single_stream` calls its `start` and `look`."""

    def __init__(self, meter: EnergyMeter | None = None) -> None:
        self.spans: list[dict[str, Any]] = []
        """As `Watched` on the host."""
        self._meter = meter
        self._before = _reading()

    def start(self) -> None:
        quick()  # the first one opens files
        if self._meter:
            self._meter.start()
        self._before = _reading()

    def energy(self) -> dict[str, Any] | None:
        """What the meter read since the start; None without one."""
        return self._meter.stop() if self._meter else None

    def look(self, at_ns: int, count: int) -> None:
        """The span that ends now; a last one that is too short to tell of is left out, unless it is the only one."""
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
    """What all cores were busy since the start, time stolen by a hypervisor's other guests included."""
    try:
        match = re.match(r"cpu +(.+)", Path("/proc/stat").read_text("ascii", "replace"))
    except OSError:
        return None
    if not match:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, match.group(1).split()[:8])
    return (user + nice + system + irq + softirq + steal) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
