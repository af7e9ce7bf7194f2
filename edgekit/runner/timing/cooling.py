"""Cool-down: wait until the machine is as cool as it was."""

from __future__ import annotations

import time
from pathlib import Path

from ..machine.conditions import conditions
from ..machine.sysfs import ROOT

NEAR_C = 1.0
"""Tolerance in degrees Celsius: sensors count in whole degrees on some boards."""
PERIOD_S = 1.0


def cool_down(to_c: float, limit_s: float, root: Path = ROOT) -> bool | None:
    """Wait until the hottest sensor is at most `to_c` + NEAR_C degrees Celsius, for `limit_s` seconds at most.

    True if it is, False if the limit came first, None without a sensor.
    """
    deadline = time.monotonic() + limit_s
    while True:
        # The sensors that `to_c` was read from: a look between inferences reads only some of them.
        sensors = conditions(root)["temperature_c"]
        if not sensors:
            return None
        if max(sensors.values()) <= to_c + NEAR_C:
            return True
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(PERIOD_S, left_s))
