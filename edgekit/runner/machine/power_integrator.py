"""Energy by integration of sampled power (trapezoidal rule)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from statistics import fmean, stdev
from typing import Any, Optional

Power = Callable[[], Optional[tuple[float, float]]]
"""Sensor of power: watts now and their error in watts; None if it gives no answer."""
Z_95 = 2.0
"""Quantile z for a 95 % interval (rounded)."""


class Sampled:
    """Meter that samples power and integrates it, linear between two samples.

    The spread of the samples counts as uncertainty.
    """

    whole = True

    def __init__(self, power: Power, method: str) -> None:
        self._power, self._method = power, method
        self._looks: list[tuple[float, tuple[float, float] | None]] = []

    def start(self) -> None:
        self._looks = []
        self.look()

    def look(self) -> None:
        self._looks.append((time.perf_counter(), self._power()))

    def stop(self) -> dict[str, Any] | None:
        """End the span, as `EnergyMeter.stop` says; None if the sensor failed to answer meanwhile."""
        self.look()
        seconds = self._looks[-1][0] - self._looks[0][0]
        readings = [reading for _, reading in self._looks if reading is not None]
        # What was drawn at a look without an answer is not known: a charger may have been plugged in.
        if len(readings) < len(self._looks) or seconds <= 0:
            return None
        watts, errors = zip(*readings)
        mean = fmean(watts)
        if mean <= 0:
            return None
        times = [at for at, _ in self._looks]
        steps = zip(times, times[1:], watts, watts[1:])
        # A reading that is the same again is none of its own: fuel gauges measure every few seconds.
        fresh = 1 + sum(first != last for first, last in zip(watts, watts[1:]))
        return {
            "joules": sum((after - before) * (first + last) / 2 for before, after, first, last in steps),
            "seconds": seconds,
            "method": self._method,
            "uncertainty": math.hypot(fmean(errors), Z_95 * stdev(watts) / math.sqrt(fresh)) / mean,
        }
