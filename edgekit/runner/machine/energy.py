"""Energy of a span of time, by a sensor of the machine itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

from . import energy_battery, energy_ina3221, energy_rapl
from .sysfs import ROOT

PERIOD_S = 0.5


class EnergyMeter(Protocol):
    """Meter of the machine's own: counts joules from `start` to `stop`, and may be started again.

    To write one, add a module `energy_NAME` with a function `meter(root)` that gives the meter, or None if the sensor
    is not there or gives no answer now, and call it in `meter` below. For a sensor of power, give
    `Sampled(power, "NAME: which part of the machine")`, where `power()` returns watts and their error in watts, or
    None. For a counter of energy, write the three methods, as `energy_rapl.WrappingCounters` does.
    """

    whole: bool
    """True if it covers the whole machine, or module; False if a GPU or NPU may draw what it does not see."""

    def start(self) -> None: ...

    def look(self) -> None:
        """Read the sensor. Called about every PERIOD_S, between two inferences: a power sensor is integrated so."""

    def stop(self) -> dict[str, Any] | None:
        """End the span: joules, seconds, method, and uncertainty as a share of the joules.

        None if the sensor failed to answer meanwhile.
        """


def meter(root: Path = ROOT) -> EnergyMeter | None:
    """Choose the meter that covers most of the machine and answers now; None without one."""
    return energy_ina3221.meter(root) or energy_rapl.meter(root) or energy_battery.meter(root)


def idle_watts(seconds: float, root: Path = ROOT) -> float | None:
    """Mean power in watts while this program sleeps for `seconds`; None without a sensor."""
    sensor = meter(root)
    if sensor is None:
        return None
    sensor.start()
    deadline = time.monotonic() + seconds
    while (left_s := deadline - time.monotonic()) > 0:
        time.sleep(min(PERIOD_S, left_s))
        sensor.look()
    reading = sensor.stop()
    return reading["joules"] / reading["seconds"] if reading else None
