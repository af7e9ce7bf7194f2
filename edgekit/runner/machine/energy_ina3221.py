"""Power that a Jetson draws, by the INA3221 on its module: volts times amperes of the rail that feeds all others."""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .linux import hwmon
from .power_integrator import Sampled
from .sysfs import number, text

# "VDD_IN is the total power of module": https://forums.developer.nvidia.com/t/interpretation-of-jetson-nx-power-rail/200883
# POM_5V_IN is Jetson Nano's. AGX Orin has no such rail, but three that feed all the others and not each other.
TOTALS = (("VDD_IN",), ("POM_5V_IN",), ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"))
# Texas Instruments SBOS576, 6.5 Electrical Characteristics, maxima: gain of either voltage, offset of the shunt's, and
# offset and half a step of the bus voltage.
GAIN, SHUNT_OFFSET_V, BUS_OFFSET_V = 0.0025, 80e-6, 16e-3 + 4e-3
# NVIDIA publishes no tolerance of the resistors; 1 % is what current shunts are sold with.
RESISTOR = 0.01
# As the driver of an Orin Nano says: `shunt1_resistor` is 5000 microohms.
SHUNT_OHM = 5e-3


class Rail(NamedTuple):
    """One channel of the chip."""

    name: str
    millivolts: Path
    milliamperes: Path
    shunt_ohm: float

    def power(self) -> tuple[float, float] | None:
        """Power of the rail and its error, in watts; None if the chip gives no sensible values."""
        millivolts, milliamperes = number(self.millivolts), number(self.milliamperes)
        if millivolts is None or milliamperes is None or millivolts <= 0 or milliamperes < 0:
            return None
        volts, amperes = millivolts / 1e3, milliamperes / 1e3
        volts_off = math.hypot(GAIN * volts, BUS_OFFSET_V)
        amperes_off = math.hypot(math.hypot(GAIN, RESISTOR) * amperes, SHUNT_OFFSET_V / self.shunt_ohm)
        return volts * amperes, math.hypot(volts * amperes_off, amperes * volts_off)


def meter(root: Path) -> Sampled | None:
    """Meter of the power that the whole module draws; None if no chip measures that."""
    rails = {rail.name: rail for chip in hwmon(root, "ina3221") for rail in _channels(chip)}
    for names in TOTALS:
        chosen = [rails[name] for name in names if name in rails]
        if len(chosen) == len(names) and _total(chosen):
            return Sampled(partial(_total, chosen), f"INA3221, {' + '.join(names)}: the whole module")
    return None


def _total(rails: list[Rail]) -> tuple[float, float] | None:
    powers = [rail.power() for rail in rails]
    known = [power for power in powers if power is not None]
    if len(known) < len(rails):
        return None
    # Offsets of one chip may all be on one side: they add up.
    return sum(watts for watts, _ in known), sum(off for _, off in known)


def _channels(chip: Path) -> list[Rail]:
    rails = []
    for label in sorted(chip.glob("in*_label")):
        channel = re.fullmatch(r"in(\d)_label", label.name)
        name = text(label)
        if channel and name:
            at = channel.group(1)
            micro_ohm = number(chip / f"shunt{at}_resistor")
            shunt_ohm = micro_ohm / 1e6 if micro_ohm and micro_ohm > 0 else SHUNT_OHM
            rails.append(Rail(name, chip / f"in{at}_input", chip / f"curr{at}_input", shunt_ohm))
    return rails
