"""Seconds and CPU seconds that a command takes, and the peak of the memory that it and all its children hold."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
INTERVAL_S = 0.05
STAGE = re.compile(r"\[.*\] ([a-z].*)")
"""Line by which a build says that a stage begins."""
TIMEOUT_S = 900.0
ORPHANS_S = 10.0
"""Longest wait for processes that a command left behind, in seconds."""
PR_SET_CHILD_SUBREAPER = 36
"""Number of the option in linux/prctl.h."""


@dataclass(frozen=True)
class Cost:
    """Seconds and memory of one run of a command."""

    seconds: float
    cpu_seconds: float
    """User and system time of all its processes, those too that outlived the one that started them."""
    peak_bytes: int
    """The most memory of the whole process tree at once; shared pages are counted once (PSS)."""
    stages: Mapping[str, int] = field(default_factory=dict)
    """Largest resident set of any one process, in bytes, while the command was at each stage that it told of; looked
    at every 50 ms, so a short peak may be missed."""
    largest_bytes: int = 0
    """Largest resident set that any one process ever had, by the kernel's own count, which misses none."""


def cost(
    argv: list[str], environment: dict[str, str], ended: tuple[int, ...] = (0,), limit_s: float = TIMEOUT_S
) -> Cost:
    """Run `argv` to its end, or for `limit_s` seconds.

    Raises RuntimeError with its last words if its exit status is none of `ended`, as that of a command is that was cut.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    before, started = _children_cpu(), time.perf_counter()
    peak, largest, stages = 0, 0, dict[str, int]()
    process = subprocess.Popen(
        argv, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
    reader.start()
    while process.poll() is None:
        if time.perf_counter() - started > limit_s:
            process.kill()
        tree = _tree(process.pid)
        stage = next((match[1] for line in reversed(lines) if (match := STAGE.match(line))), "start")
        stages[stage] = max(stages.get(stage, 0), *(_memory(pid, "Rss") for pid in tree), 0)
        largest = max(largest, *(_high_water(pid) for pid in tree), 0)
        peak = max(peak, sum(_memory(pid, "Pss") for pid in tree))
        time.sleep(INTERVAL_S)
    seconds = time.perf_counter() - started
    reader.join()
    _wait_for_orphans()
    if process.returncode not in ended:
        raise RuntimeError(f"{' '.join(argv)} ended with {process.returncode}: {''.join(lines)[-2000:]}")
    return Cost(seconds, _children_cpu() - before, peak, stages, largest)


def _children_cpu() -> float:
    """CPU seconds of all processes below this one that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _wait_for_orphans() -> None:
    """Wait for the processes that a command left: Linux counts the time of those alone that were waited for."""
    limit = time.perf_counter() + ORPHANS_S
    while time.perf_counter() < limit:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(INTERVAL_S)
        except ChildProcessError:
            return


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(below for child in children for below in _tree(int(child)))]


def _memory(pid: int, kind: str) -> int:
    """Memory of a process in bytes, 0 if it has ended. kind: `Rss`, or `Pss`, which shares out shared pages."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), kind)


def _high_water(pid: int) -> int:
    """Largest resident set that a process has had since it began, in bytes, 0 if it has ended."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM")


def _kilobytes(path: Path, kind: str) -> int:
    try:
        match = re.search(rf"^{kind}:\s*(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match.group(1)) * 1024 if match else 0
