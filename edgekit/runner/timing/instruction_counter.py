"""Instruction counter of the CPU, by perf_event_open(2) of Linux, called by ctypes."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ..errors import RunnerError

Sample = TypeVar("Sample")

# Number of the system call for 64-bit programs: Linux, include/uapi/asm-generic/unistd.h and syscall_64.tbl.
SYSCALL = {"aarch64": 241, "x86_64": 298}
# struct perf_event_attr and its flags: Linux, include/uapi/linux/perf_event.h.
HARDWARE, INSTRUCTIONS, SIZE = 0, 1, 112
INHERIT, PINNED, EXCLUDE_KERNEL, EXCLUDE_HYPERVISOR = 1 << 1, 1 << 2, 1 << 5, 1 << 6
CLOSE_ON_EXEC = 1 << 3
PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")


class Counter:
    """Counter of the instructions that this process executes in user space, and every thread and process it starts.

    Pinned: it counts all the time or not at all, so that no count is scaled up. Raises RunnerError (counter) where the
    kernel gives none. Close it by `with`.
    """

    def __init__(self) -> None:
        self._fd = _open_counter()

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._fd)

    def each(self, call: Callable[[Sample], Any], sample: Sample, count: int) -> list[int]:
        """Count the instructions of `call(sample)`, `count` times in a row, without those of reading the counter."""
        reading = min(self._each(_nothing, sample, count))
        return [count_with_reading - reading for count_with_reading in self._each(call, sample, count)]

    def _each(self, call: Callable[[Sample], Any], sample: Sample, count: int) -> list[int]:
        read, fd = os.read, self._fd
        counts = []
        for _ in range(count):
            # Nothing between the two but the call: what is made of them comes after.
            before = read(fd, 8)
            call(sample)
            after = read(fd, 8)
            counts.append(_number(after) - _number(before))
        return counts


def _nothing(sample: object) -> None:
    """Do nothing: its count is that of reading the counter."""


def _number(raw: bytes) -> int:
    if len(raw) != 8:  # the end of the file: another program has the counter now
        raise RunnerError("counter", "the kernel took the instruction counter away: another program counts, too")
    return int.from_bytes(raw, sys.byteorder)


def _open_counter() -> int:
    number = SYSCALL.get(platform.machine()) if sys.maxsize > 1 << 32 and sys.platform == "linux" else None
    if number is None:
        raise RunnerError("counter", f"instructions are not counted on {sys.platform} {platform.machine()}")
    flags = INHERIT | PINNED | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR
    attributes = struct.pack("=IIQQQQQ", HARDWARE, SIZE, INSTRUCTIONS, 0, 0, 0, flags).ljust(SIZE, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(ctypes.c_long(number), attributes, 0, -1, -1, ctypes.c_ulong(CLOSE_ON_EXEC))
    if fd < 0:
        raise RunnerError("counter", f"the kernel gives no instruction counter: {_reason(ctypes.get_errno())}")
    return int(fd)


def _reason(number: int) -> str:
    text = os.strerror(number)
    if number in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV):
        return f"this CPU has none, or a virtual machine hides it ({text})"
    try:
        level = int(PARANOID.read_text("ascii"))
    except (OSError, ValueError):
        return text
    allowed = level <= 2 or os.geteuid() == 0
    return text if allowed else f"{text} (as root: sysctl kernel.perf_event_paranoid=2)"
