"""What a Jetson says: its power mode, how often its supply was too weak, and its heat where Linux has no zones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .command import command_output
from .linux import CONSTANT, celsius, hwmon
from .sysfs import number, text

STATUS, MODES = "var/lib/nvpmodel/status", "etc/nvpmodel.conf"


def is_here(root: Path) -> bool:
    """Whether this is one."""
    return "nvidia,tegra" in (text(root / "proc/device-tree/compatible") or "")


def added(root: Path, known: dict[str, Any]) -> dict[str, Any]:
    """What is added to what Linux says, `known`."""
    mode = named_mode(text(root / STATUS) or "", text(root / MODES) or "") or queried_mode(
        command_output("nvpmodel", "-q")
    )
    said = {"power_mode": mode, "throttle_events": _over_current_events(root)}
    if known["temperature_c"]:
        return said
    return {**said, "temperature_c": temperatures(command_output("tegrastats", "--interval", "100", lines=1))}


def named_mode(status: str, modes: str) -> str | None:
    """The name in `/etc/nvpmodel.conf` of the mode in `/var/lib/nvpmodel/status`: `pmode:0002`."""
    found = re.match(r"pmode:(\d{1,9})\b", status, re.ASCII)
    if not found:
        return None
    listed = re.findall(r"^<\s*POWER_MODEL\s+ID=(\d{1,9})\s+NAME=([^\s>]+)", modes, re.MULTILINE | re.ASCII)
    return {int(mode): name for mode, name in listed}.get(int(found.group(1)))


def queried_mode(said: str) -> str | None:
    """Of `nvpmodel -q`: `NV Power Mode: MAXN`, and its number in the next line."""
    found = re.search(r"^NV Power Mode:[ \t]*(\S+)", said, re.MULTILINE)
    return found.group(1) if found else None


def temperatures(line: str) -> dict[str, float]:
    """Degrees Celsius by sensor in a line of tegrastats: `cpu@46.41C`, and `CV0@-256C` of a sensor that is off."""
    found = re.findall(r"(?<!\S)([A-Za-z][\w.-]{0,40})@(-?\d{1,4}(?:\.\d{1,4})?)C(?!\S)", line, re.ASCII)
    degrees = {name: celsius(float(value) * 1e3) for name, value in found if name not in CONSTANT}
    return {name: value for name, value in degrees.items() if value is not None}


def _over_current_events(root: Path) -> int | None:
    # NVIDIA Jetson Linux Developer Guide, "Platform Power and Performance": oc1 counts under-voltage, oc2 average and
    # oc3 instantaneous over-current.
    counts = [number(file) for chip in hwmon(root, "soctherm_oc") for file in chip.glob("oc*_event_cnt")]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
