"""Deadlines that a wrong clock cannot move: seconds since boot, with the id of the boot. Standard library only."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# CLOCK_BOOTTIME counts suspended time too (clock_gettime(2)); systems other than Linux have no such clock.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def deadline(seconds: float) -> dict[str, Any]:
    """Deadline `seconds` from now, in the form that files hold; `wall`, the clock's time, is for people."""
    wall = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    return {"boot": _boot(), "until": _now_s() + seconds, "wall": wall}


def left_s(deadline: dict[str, Any]) -> float:
    """Seconds until a deadline; 0 when it is over, or of another boot."""
    return max(0.0, deadline["until"] - _now_s()) if deadline["boot"] == _boot() else 0.0


def of_this_boot(deadline: dict[str, Any]) -> bool:
    return bool(deadline["boot"] == _boot())


def _now_s() -> float:
    return time.clock_gettime(CLOCK)


def _boot() -> str:
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""
