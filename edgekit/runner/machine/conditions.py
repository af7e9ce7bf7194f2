"""Conditions of the machine at one moment: clocks, heat, throttling, load, memory, battery, screen."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import android, jetson, linux, raspberry_pi
from .sysfs import ROOT, OpenFile, opened

BOARDS = (raspberry_pi, jetson, android)
BUDGET_NS = 150_000
"""Time for temperatures in one `quick`, between two inferences: phones have ninety sensors, some behind a slow bus."""


def conditions(root: Path = ROOT) -> dict[str, Any]:
    """Read every condition, as JSON can hold it; the keys are those of `edgekit.ir.measurement.Conditions`.

    Unknown is None, or not in the mapping, never zero. Takes up to seconds: programs of the board are run, too.
    """
    known: dict[str, Any] = {**linux.conditions(root), "screen_on": None, "power_mode": None}
    for board in BOARDS:
        if board.is_here(root):
            known = _combined(known, board.added(root, known))
    return known


def quick(root: Path = ROOT) -> dict[str, Any]:
    """Read `clock_mhz` by group of cores, and `temperature_c` of the hottest sensor or None, in about 100 µs.

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
def _opened(root: Path) -> tuple[dict[str, OpenFile], list[OpenFile]]:
    """The files of `quick`: all clocks, and as many sensors as can be read in time, the hottest first."""
    clocks = {policy.name: opened(policy / "scaling_cur_freq") for policy in linux.policies(root)}
    sensors = [file for file in (opened(path) for _, path in linux.sensors(root)) if file]
    sensors.sort(key=lambda file: linux.celsius(file.number()) or -273.15, reverse=True)
    chosen, spent_ns = sensors[:1], 0
    for file in sensors[1:]:
        spent_ns += min(_reading_ns(file) for _ in range(3))
        if spent_ns > BUDGET_NS:
            break
        chosen.append(file)
    return {name: file for name, file in clocks.items() if file}, chosen


def _reading_ns(file: OpenFile) -> int:
    start = time.perf_counter_ns()
    file.number()
    return time.perf_counter_ns() - start


def _combined(known: dict[str, Any], board: dict[str, Any]) -> dict[str, Any]:
    """Combine the conditions of Linux and of a board: events and reasons add up, other values replace Linux's."""
    both = dict(known)
    for key, value in board.items():
        if value is None:
            continue
        if key in ("throttled", "throttle_events") and known[key] is not None:
            both[key] = known[key] + value
        else:
            both[key] = {**known[key], **value} if isinstance(value, dict) else value
    return both
