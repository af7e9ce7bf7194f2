"""Throttling and heat of a Raspberry Pi, by its firmware."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .command import command_output
from .linux import celsius, hwmon
from .sysfs import number, text

# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled; 16 bits higher: since it was started.
BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
SINCE = 16
SYSFS = "sys/devices/platform/soc/soc:firmware/get_throttled"


def is_here(root: Path) -> bool:
    """Tell whether this is a Raspberry Pi."""
    return "Raspberry Pi" in (text(root / "proc/device-tree/model") or "")


def added(root: Path, known: dict[str, Any]) -> dict[str, Any]:
    """Conditions that a Raspberry Pi adds to those of Linux, `known`; heat only where Linux has none."""
    values: dict[str, Any] = _throttling(root)
    degrees = None if known["temperature_c"] else temperature_c(command_output("vcgencmd", "measure_temp"))
    return values if degrees is None else {**values, "temperature_c": {"vcgencmd": degrees}}


def flags(answer: str) -> int | None:
    """Bits of `throttled=0x50005`, the output of vcgencmd, or of `50005`, the kernel's; None for other text."""
    match = re.fullmatch(r"(?:throttled=0x)?([0-9a-fA-F]{1,8})", answer.strip(), re.ASCII)
    return int(match.group(1), 16) if match else None


def temperature_c(answer: str) -> float | None:
    """Degrees Celsius of `temp=42.8'C`, the output of vcgencmd; None for other text."""
    match = re.fullmatch(r"temp=(-?\d{1,3}\.\d{1,3})'C", answer.strip(), re.ASCII)
    return celsius(float(match.group(1)) * 1e3) if match else None


def _throttling(root: Path) -> dict[str, Any]:
    # The program first: reading the file makes newer kernels log "deprecated, use hwmon sysfs instead" with a trace
    # (https://github.com/custom-components/sensor.rpi_power/issues/39), and hwmon has under-voltage only.
    bits = flags(command_output("vcgencmd", "get_throttled"))
    if bits is None:
        bits = flags(text(root / SYSFS) or "")
    if bits is not None:
        now = [reason for bit, reason in BITS.items() if bits >> bit & 1]
        return {"throttled": now, "throttle_events": sum(bits >> SINCE + bit & 1 for bit in BITS)}
    alarms = [number(chip / "in0_lcrit_alarm") for chip in hwmon(root, "rpi_volt")]
    return {"throttled": [BITS[0]] if 1 in alarms else None}
