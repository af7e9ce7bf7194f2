"""The energy of a span of time, where the machine has a sensor of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

from . import energy_battery, energy_ina3221, energy_rapl
from .sysfs import ROOT

PERIOD_S = 0.5


class EnergyMeter(Protocol):
    """What counts joules from `start` to `stop`, and may be started again."""

    def start(self) -> None: ...

    def look(self) -> None:
        """Every half second or so, between two inferences: some are only right if they are looked at."""

    def stop(self) -> dict[str, Any] | None:
        """joules, seconds, method, and uncertainty as a share of the joules; None if it fell silent meanwhile."""


def meter(root: Path = ROOT) -> EnergyMeter | None:
    """The sensor that sees most of the machine and answers here and now; None without one."""
    return energy_ina3221.meter(root) or energy_rapl.meter(root) or energy_battery.meter(root)


def idle_watts(seconds: float, root: Path = ROOT) -> float | None:
    """What the machine draws while this program sleeps for `seconds`; None without a sensor."""
    found = meter(root)
    if found is None:
        return None
    found.start()
    deadline = time.monotonic() + seconds
    while (left_s := deadline - time.monotonic()) > 0:
        time.sleep(min(PERIOD_S, left_s))
        found.look()
    said = found.stop()
    return said["joules"] / said["seconds"] if said else None
