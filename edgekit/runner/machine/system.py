"""Description of this machine, and memory of this process. Unknown is None."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from . import linux
from .sysfs import field_bytes

# Names of an architecture that systems other than Linux give in uname, and Linux's own, which manifests use.
ALIASES = {"arm64": "aarch64", "amd64": "x86_64"}
# Arm's cores have no name in /proc/cpuinfo, only a part number: Arm's manuals of each core, register MIDR_EL1.
ARM_CORES = {
    "0xd03": "cortex-a53",
    "0xd05": "cortex-a55",
    "0xd07": "cortex-a57",
    "0xd08": "cortex-a72",
    "0xd09": "cortex-a73",
    "0xd0a": "cortex-a75",
    "0xd0b": "cortex-a76",
    "0xd42": "cortex-a78ae",
}


def info() -> dict[str, Any]:
    """Machine, system, CPU, cores, memory in bytes and version of Python."""
    return {
        "machine": os.uname().machine,
        "system": f"{os.uname().sysname} {os.uname().release}",
        "cpu": _cpu(_read("/proc/cpuinfo")),
        "cores": _cores(),
        "ram_bytes": field_bytes("MemTotal", _read("/proc/meminfo")),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def architecture(machine: str) -> str:
    """CPU architecture as manifests name it, such as `aarch64`, of what `uname -m` says."""
    return ALIASES.get(machine, machine)


def peak_rss_bytes() -> int | None:
    """Peak resident memory of this process in bytes.

    Not `ru_maxrss`: that one survives exec, so a child of a large process would report its parent's peak.
    """
    return field_bytes("VmHWM", _read("/proc/self/status"))


def rss_bytes() -> int | None:
    """Resident memory of this process in bytes, now."""
    return field_bytes("VmRSS", _read("/proc/self/status"))


def available_bytes() -> int | None:
    """Memory in bytes that programs can still get without swapping."""
    return linux.available_bytes(_read("/proc/meminfo"))


def _cores() -> int:
    """Count of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu(cpuinfo: str) -> str | None:
    name = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    if name:
        return name.group(1).strip()
    parts = re.findall(r"^CPU part\s*:\s*(\w+)$", cpuinfo, re.MULTILINE)
    cores = list(dict.fromkeys(ARM_CORES.get(part, f"arm {part}") for part in parts))
    return " + ".join(cores) or None


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
