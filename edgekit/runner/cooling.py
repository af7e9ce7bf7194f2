"""Waiting for a machine to be as cool as it was."""

from __future__ import annotations

import time
from pathlib import Path

from .conditions import hottest_c
from .sysfs import ROOT

NEAR_C = 1.0
"""Sensors count in whole degrees on some boards."""
PERIOD_S = 0.5


def cool_down(to_c: float, limit_s: float, root: Path = ROOT) -> bool | None:
    """Wait until the hottest sensor is at most `to_c` + 1 degrees Celsius, for `limit_s` seconds at most.

    True if it is, False if the limit came first, None without a sensor.
    """
    deadline = time.monotonic() + limit_s
    while True:
        now_c = hottest_c(root)
        if now_c is None:
            return None
        if now_c <= to_c + NEAR_C:
            return True
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(PERIOD_S, left_s))
