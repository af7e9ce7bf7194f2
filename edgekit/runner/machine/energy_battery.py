"""Power drawn from a battery, by its fuel gauge: only while no cable feeds the machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .linux import batteries
from .power_integrator import Sampled
from .sysfs import number, text

# "not guaranteed to be of high absolute accuracy": https://source.android.com/devices/tech/power/device.html. No vendor
# states a figure for a phone's gauge and its resistor: an assumption, until somebody compares one with a meter.
ACCURACY = 0.10
# No running phone or laptop draws less. Some vendors count in milliamperes where the kernel's interface
# (Documentation/ABI/testing/sysfs-class-power) has microamperes: their power looks a thousand times too small.
LEAST_W = 0.05


def meter(root: Path) -> Sampled | None:
    """Meter of the power that the battery gives; None without one, while it is charged, or if its gauge is wrong."""
    for battery in batteries(root):
        if power(battery):
            return Sampled(partial(power, battery), "battery fuel gauge: the whole machine, screen included")
    return None


def power(battery: Path) -> tuple[float, float] | None:
    """Power drawn from the battery, and its error, in watts; None if it is not discharging or the gauge is wrong."""
    if text(battery / "status") != "Discharging":
        return None
    microwatts = number(battery / "power_now")
    microamperes, microvolts = number(battery / "current_now"), number(battery / "voltage_now")
    if microwatts is not None:
        watts = abs(microwatts) / 1e6
    elif microamperes is not None and microvolts is not None:
        # Vendors do not agree which way current is negative; it discharges, so there is but one way.
        watts = abs(microamperes) / 1e6 * microvolts / 1e6
    else:
        return None
    return (watts, ACCURACY * watts) if watts >= LEAST_W else None
