"""Resident memory that a process holds, and the limit of what a command may hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import OptionError

VARIABLE = "EDGEKIT_MEMORY_MB"
SHARE = 0.9
"""Share of the machine's memory. Past it, Linux swaps, and its OOM killer then ends some process silently."""
_GROUPS = Path("/sys/fs/cgroup")


def limit_bytes() -> int:
    """Return the resident memory, in bytes, that a command may hold.

    EDGEKIT_MEMORY_MB says it, or else it is nine tenths of this machine's or container's.

    Raises OptionError if the variable is no number.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return int(SHARE * min(_machine(), *_containers()))
    if not (text.isascii() and text.isdigit() and int(text)):
        raise OptionError(f"{VARIABLE} is '{text}', not a number of megabytes", hint=f"export {VARIABLE}=8000")
    return int(text) * 1_000_000


def resident_bytes(pid: int) -> int:
    """Resident set size of a process, in bytes; 0 where it cannot be told, as on macOS."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):  # it has just ended
        return 0


def _machine() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _containers() -> Iterator[int]:
    """Limits of the control groups that this process is in (cgroup v2, v1), and the machine's where there is none."""
    yield _machine()
    own = _GROUPS / _own_group()
    files = [folder / "memory.max" for folder in (own, *own.parents) if folder.is_relative_to(_GROUPS)]
    for file in (*files, _GROUPS / "memory" / "memory.limit_in_bytes"):
        try:
            yield int(file.read_text())
        except (OSError, ValueError):  # `max`
            continue


def _own_group() -> str:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
