"""Power mode, over-current events and heat of a Jetson."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .command import command_output
from .linux import CONSTANT, celsius, hwmon
from .sysfs import number, text

STATUS, MODES = "var/lib/nvpmodel/status", "etc/nvpmodel.conf"


def is_here(root: Path) -> bool:
    """Tell whether this is a Jetson."""
    return "nvidia,tegra" in (text(root / "proc/device-tree/compatible") or "")


def added(root: Path, known: dict[str, Any]) -> dict[str, Any]:
    """Conditions that a Jetson adds to those of Linux, `known`; heat only where Linux has no thermal zones."""
    mode = named_mode(text(root / STATUS) or "", text(root / MODES) or "") or queried_mode(
        command_output("nvpmodel", "-q")
    )
    values = {"power_mode": mode, "throttle_events": _over_current_events(root)}
    if known["temperature_c"]:
        return values
    return {**values, "temperature_c": temperatures(command_output("tegrastats", "--interval", "100", lines=1))}


def named_mode(status: str, modes: str) -> str | None:
    """Name in `/etc/nvpmodel.conf` of the power mode in `/var/lib/nvpmodel/status`: `pmode:0002`."""
    match = re.match(r"pmode:(\d{1,9})\b", status, re.ASCII)
    if not match:
        return None
    listed = re.findall(r"^<\s*POWER_MODEL\s+ID=(\d{1,9})\s+NAME=([^\s>]+)", modes, re.MULTILINE | re.ASCII)
    return {int(mode): name for mode, name in listed}.get(int(match.group(1)))


def queried_mode(report: str) -> str | None:
    """Name of the power mode in the output of `nvpmodel -q`: `NV Power Mode: MAXN`, its number in the next line."""
    match = re.search(r"^NV Power Mode:[ \t]*(\S+)", report, re.MULTILINE)
    return match.group(1) if match else None


def temperatures(line: str) -> dict[str, float]:
    """Degrees Celsius by sensor in a line of tegrastats: `cpu@46.41C`, and `CV0@-256C` of a sensor that is off."""
    pairs = re.findall(r"(?<!\S)([A-Za-z][\w.-]{0,40})@(-?\d{1,4}(?:\.\d{1,4})?)C(?!\S)", line, re.ASCII)
    degrees = {name: celsius(float(value) * 1e3) for name, value in pairs if name not in CONSTANT}
    return {name: value for name, value in degrees.items() if value is not None}


def _over_current_events(root: Path) -> int | None:
    # NVIDIA Jetson Linux Developer Guide, "Platform Power and Performance": oc1 counts under-voltage, oc2 average and
    # oc3 instantaneous over-current.
    counts = [number(file) for chip in hwmon(root, "soctherm_oc") for file in chip.glob("oc*_event_cnt")]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
