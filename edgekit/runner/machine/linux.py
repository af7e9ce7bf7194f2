"""Clocks, heat, load, memory and battery, read off /sys and /proc of Linux."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .sysfs import field_bytes, number, text

POLICIES = "sys/devices/system/cpu/cpufreq"
ZONES = "sys/class/thermal"
HWMON = "sys/class/hwmon"
SUPPLIES = "sys/class/power_supply"
# The CPU's own sensors, where no thermal zone has them: Linux, Documentation/hwmon/{coretemp,k10temp}.rst.
CPU_CHIPS = ("coretemp", "k10temp")
# A constant in place of a sensor: "PMIC@100C" of every tegrastats on Jetson Nano, TX2 and Xavier.
CONSTANT = ("PMIC", "PMIC-Die")


def conditions(root: Path) -> dict[str, Any]:
    """Read the conditions that every Linux has; keys as `conditions.conditions`."""
    return {
        "clock_mhz": per_policy(root, "scaling_cur_freq"),
        "limit_mhz": per_policy(root, "scaling_max_freq"),
        "governor": _governors(root),
        "temperature_c": temperatures(root),
        "throttled": _throttled(root),
        "throttle_events": _throttle_events(root),
        "load_1m": load_1m(text(root / "proc/loadavg") or ""),
        "available_bytes": available_bytes(text(root / "proc/meminfo") or ""),
        **_battery(root),
    }


def celsius(millidegrees: float | None) -> float | None:
    """Convert to degrees Celsius; None for values that no running machine has.

    0 and -256000 stand for sensors that are absent or off.
    """
    if millidegrees is None or not 1e3 <= abs(millidegrees) <= 150e3 or millidegrees < -40e3:
        return None
    return millidegrees / 1e3


def policies(root: Path) -> list[Path]:
    """Groups of cores that share a clock."""
    return sorted((root / POLICIES).glob("policy*"), key=_index)


def per_policy(root: Path, name: str) -> dict[str, float]:
    """MHz by group of cores, in the file `name` of each: cpufreq counts kHz."""
    clocks_khz = {policy.name: number(policy / name) for policy in policies(root)}
    return {policy: khz / 1e3 for policy, khz in clocks_khz.items() if khz}


def sensors(root: Path) -> Iterator[tuple[str, Path]]:
    """Name, made unique, and file, in millidegrees Celsius, of every temperature sensor."""
    names: set[str] = set()
    for zone in sorted((root / ZONES).glob("thermal_zone*"), key=_index):
        name = text(zone / "type") or zone.name
        if name not in CONSTANT:
            yield _unique(name, zone.name, names), zone / "temp"
    for chip in hwmon(root, *CPU_CHIPS):
        for file in sorted(chip.glob("temp*_input")):
            label = text(file.with_name(file.name.replace("_input", "_label"))) or file.name
            yield _unique(label, chip.name, names), file


def temperatures(root: Path) -> dict[str, float]:
    """Degrees Celsius by sensor."""
    readings = {name: celsius(number(file)) for name, file in sensors(root)}
    return {name: degrees for name, degrees in readings.items() if degrees is not None}


def hwmon(root: Path, *names: str) -> list[Path]:
    """Folders of the hardware monitoring chips of these names."""
    return [chip for chip in sorted((root / HWMON).glob("hwmon*"), key=_index) if text(chip / "name") in names]


def batteries(root: Path) -> list[Path]:
    """Batteries that power the machine itself, not those of mice and keyboards."""
    supplies = sorted((root / SUPPLIES).glob("*"))
    return [supply for supply in supplies if text(supply / "type") == "Battery" and text(supply / "scope") != "Device"]


def load_1m(loadavg: str) -> float | None:
    """Load average of one minute in the text of /proc/loadavg: `0.20 0.18 0.12 1/80 11206`."""
    match = re.match(r"(\d{1,9}\.\d{1,9}) ", loadavg, re.ASCII)
    return float(match.group(1)) if match else None


def available_bytes(meminfo: str) -> int | None:
    """Memory in bytes that programs can still get without swapping, read off the text of /proc/meminfo."""
    return field_bytes("MemAvailable", meminfo)


def _governors(root: Path) -> dict[str, str]:
    governors = {policy.name: text(policy / "scaling_governor") for policy in policies(root)}
    return {policy: governor for policy, governor in governors.items() if governor}


def _throttled(root: Path) -> list[str] | None:
    """Cooling devices that slow the machine down now; None if there are none that would show it."""
    states: dict[str, int] = {}
    for device in sorted((root / ZONES).glob("cooling_device*"), key=_index):
        name, state = text(device / "type"), number(device / "cur_state")
        if name and state is not None and _slows_down(name):
            states[name] = max(state, states.get(name, 0))
    return [name for name, state in states.items() if state > 0] if states else None


def _slows_down(cooling: str) -> bool:
    # `cpufreq-cpu0` since Linux 5.11, `thermal-cpufreq-0` before; x86 has two of its own; the alerts are NVIDIA's.
    return "cpufreq" in cooling or cooling in ("Processor", "intel_powerclamp") or cooling.endswith("-throttle-alert")


def _throttle_events(root: Path) -> int | None:
    """Sum of the throttle counters of x86, by core and by package: it moves whenever any of them does."""
    counts = [number(file) for file in (root / "sys/devices/system/cpu").glob("cpu*/thermal_throttle/*_throttle_count")]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _battery(root: Path) -> dict[str, Any]:
    for supply in batteries(root):
        status = text(supply / "status")
        # "Unknown" is what the kernel says when the gauge does not tell.
        charging = None if status in (None, "", "Unknown") else status == "Charging"
        percent = number(supply / "capacity")
        known = float(percent) if percent is not None and 0 <= percent <= 100 else None
        return {"battery_percent": known, "charging": charging}
    return {"battery_percent": None, "charging": None}


def _unique(name: str, place: str, names: set[str]) -> str:
    unique = f"{name} {place}" if name in names else name
    names.add(unique)
    return unique


def _index(path: Path) -> tuple[int, str]:
    match = re.search(r"\d{1,9}$", path.name, re.ASCII)
    return (int(match.group()) if match else 0, path.name)
