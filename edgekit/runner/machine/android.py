"""Heat, battery and screen of an Android device, read off `dumpsys`: /sys is mostly closed to a shell there."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from typing import Any

from .command import command_output
from .linux import celsius

# android.os.PowerManager, THERMAL_STATUS_*; 0 is none.
STATUS = ("light", "moderate", "severe", "critical", "emergency", "shutdown")
# android.os.Temperature, TYPE_*: 6 to 8 are volts, amperes and percent of the battery, -1 is in any unit.
DEGREES = frozenset((*range(6), *range(9, 20)))
# android.os.BatteryManager, BATTERY_STATUS_*; 1 is unknown.
CHARGING = {2: True, 3: False, 4: False, 5: False}
HEADINGS = ("Current temperatures from HAL:", "Cached temperatures:")
SENSOR = r"\s*Temperature\{mValue=(-?\d{1,4}(?:\.\d{1,9})?), mType=(-?\d{1,3}), mName=([^,}]{1,80}), mStatus=\d+\}"


def is_here(root: Path) -> bool:
    """Tell whether this is Android."""
    return (root / "system/build.prop").exists() or (root / "system/bin/getprop").exists()


def added(root: Path, known: dict[str, Any]) -> dict[str, Any]:
    """Conditions that Android adds to those of Linux, `known`."""
    heat = command_output("dumpsys", "thermalservice")
    return {
        "throttled": throttled(heat),
        "temperature_c": temperatures(heat),
        "screen_on": screen_on(command_output("dumpsys", "power")),
        **battery(command_output("dumpsys", "battery")),
    }


def throttled(report: str) -> list[str] | None:
    """Reasons for throttling, by `Thermal Status: 1` in `dumpsys thermalservice` (Android 10 and later).

    None if the report has no status that is known.
    """
    match = re.search(r"^Thermal Status: (\d)\s*$", report, re.MULTILINE | re.ASCII)
    if not match or int(match.group(1)) > len(STATUS):
        return None
    status = int(match.group(1))
    return [f"thermal status {STATUS[status - 1]}"] if status else []


def temperatures(report: str) -> dict[str, float]:
    """Degrees Celsius by sensor in `dumpsys thermalservice`: current ones, else those that the service has cached."""
    for heading in HEADINGS:
        _, _, section = report.partition(heading)
        lines = takewhile(lambda line: line.strip().startswith("Temperature{"), section.splitlines()[1:])
        sensors = [sensor.groups() for sensor in (re.match(SENSOR, line, re.ASCII) for line in lines) if sensor]
        degrees = {name: celsius(float(value) * 1e3) for value, kind, name in sensors if int(kind) in DEGREES}
        known = {name: value for name, value in degrees.items() if value is not None}
        if known:
            return known
    return {}


def battery(report: str) -> dict[str, Any]:
    """Read `battery_percent` and `charging` of `dumpsys battery`; empty while a person overrides its values."""
    if "UPDATES STOPPED" in report:
        return {}
    level, scale, status = (_field(name, report) for name in ("level", "scale", "status"))
    return {
        "battery_percent": 100 * level / scale if level is not None and scale and 0 <= level <= scale else None,
        "charging": None if status is None else CHARGING.get(status),
    }


def screen_on(report: str) -> bool | None:
    """State of the screen in `dumpsys power`: the display's own, else whether the device is awake; None if unknown."""
    display = re.search(r"^[ \t]*Display Power: state=([A-Z_]+)\s*$", report, re.MULTILINE)
    if display:
        return display.group(1) == "ON"
    awake = re.search(r"^[ \t]*mWakefulness=(Awake|Asleep|Dozing|Dreaming)\s*$", report, re.MULTILINE)
    # A screen saver, "Dreaming", draws on the screen.
    return awake.group(1) in ("Awake", "Dreaming") if awake else None


def _field(name: str, report: str) -> int | None:
    match = re.search(rf"^[ \t]*{name}: (-?\d{{1,9}})\s*$", report, re.MULTILINE | re.ASCII)
    return int(match.group(1)) if match else None
