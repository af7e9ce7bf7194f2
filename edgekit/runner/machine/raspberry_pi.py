"""What the firmware of a Raspberry Pi holds the machine back by."""

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
    """Whether this is one."""
    return "Raspberry Pi" in (text(root / "proc/device-tree/model") or "")


def added(root: Path, known: dict[str, Any]) -> dict[str, Any]:
    """What is added to what Linux says, `known`."""
    said: dict[str, Any] = _throttling(root)
    degrees = None if known["temperature_c"] else temperature_c(command_output("vcgencmd", "measure_temp"))
    return said if degrees is None else {**said, "temperature_c": {"vcgencmd": degrees}}


def flags(said: str) -> int | None:
    """Of `throttled=0x50005`, as vcgencmd says it, or `50005`, as the kernel does."""
    found = re.fullmatch(r"(?:throttled=0x)?([0-9a-fA-F]{1,8})", said.strip(), re.ASCII)
    return int(found.group(1), 16) if found else None


def temperature_c(said: str) -> float | None:
    """Of `temp=42.8'C`."""
    found = re.fullmatch(r"temp=(-?\d{1,3}\.\d{1,3})'C", said.strip(), re.ASCII)
    return celsius(float(found.group(1)) * 1e3) if found else None


def _throttling(root: Path) -> dict[str, Any]:
    # The program first: reading the file makes newer kernels log "deprecated, use hwmon sysfs instead" with a trace
    # (https://github.com/custom-components/sensor.rpi_power/issues/39), and hwmon has under-voltage only.
    found = flags(command_output("vcgencmd", "get_throttled"))
    if found is None:
        found = flags(text(root / SYSFS) or "")
    if found is not None:
        now = [reason for bit, reason in BITS.items() if found >> bit & 1]
        return {"throttled": now, "throttle_events": sum(found >> SINCE + bit & 1 for bit in BITS)}
    alarms = [number(chip / "in0_lcrit_alarm") for chip in hwmon(root, "rpi_volt")]
    return {"throttled": [BITS[0]] if 1 in alarms else None}
