"""The machine at one moment: clocks, heat, what holds it back, load, memory, battery, screen."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import android, jetson, linux, raspberry_pi
from .sysfs import ROOT, Kept, kept

BOARDS = (raspberry_pi, jetson, android)
# Of one look between two inferences, what temperatures may take: phones have ninety sensors, some behind a slow bus.
BUDGET_NS = 150_000


def conditions(root: Path = ROOT) -> dict[str, Any]:
    """Everything known now, as JSON can hold it; the keys are those of `edgekit.ir.measurement.Conditions`.

    Unknown is None, or not in the mapping, never zero. Takes up to seconds: programs of the board are asked, too.
    """
    found: dict[str, Any] = {**linux.conditions(root), "screen_on": None, "power_mode": None}
    for board in BOARDS:
        if board.is_here(root):
            found = _with(found, board.added(root, found))
    return found


def quick(root: Path = ROOT) -> dict[str, Any]:
    """`clock_mhz` by group of cores, and `temperature_c` of the hottest sensor or None; in some 100 microseconds.

    Starts no program, and keeps its files open from one call to the next.
    """
    clocks, heat = _opened(root)
    khz = {name: file.number() for name, file in clocks.items()}
    degrees = [linux.celsius(file.number()) for file in heat]
    return {
        "clock_mhz": {name: value / 1e3 for name, value in khz.items() if value},
        "temperature_c": max((value for value in degrees if value is not None), default=None),
    }


@lru_cache(maxsize=1)
def _opened(root: Path) -> tuple[dict[str, Kept], list[Kept]]:
    """The files of `quick`: all clocks, and as many sensors as can be read in time, the hottest first."""
    clocks = {policy.name: kept(policy / "scaling_cur_freq") for policy in linux.policies(root)}
    sensors = [file for file in (kept(path) for _, path in linux.sensors(root)) if file]
    sensors.sort(key=lambda file: linux.celsius(file.number()) or -273.15, reverse=True)
    chosen, spent_ns = sensors[:1], 0
    for file in sensors[1:]:
        spent_ns += min(_taken_ns(file) for _ in range(3))
        if spent_ns > BUDGET_NS:
            break
        chosen.append(file)
    return {name: file for name, file in clocks.items() if file}, chosen


def _taken_ns(file: Kept) -> int:
    start = time.perf_counter_ns()
    file.number()
    return time.perf_counter_ns() - start


def _with(known: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """What a board says on top of what Linux does: events and reasons add up, anything else takes its place."""
    both = dict(known)
    for key, value in said.items():
        if value is None:
            continue
        if key in ("throttled", "throttle_events") and known[key] is not None:
            both[key] = known[key] + value
        else:
            both[key] = {**known[key], **value} if isinstance(value, dict) else value
    return both
