"""Seconds that a command takes, and the peak of the memory that it and all its children hold."""

from __future__ import annotations

import os
import re
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


@dataclass(frozen=True)
class Cost:
    """Seconds and memory of one run of a command."""

    seconds: float
    peak_bytes: int
    """The most memory of the whole process tree at once; shared pages are counted once (PSS)."""
    stages: Mapping[str, int] = field(default_factory=dict)
    """Largest resident set of any one process, in bytes, while the command was at each stage that it told of; looked
    at every 50 ms, so a short peak may be missed."""
    largest_bytes: int = 0
    """Largest resident set that any one process ever had, by the kernel's own count, which misses none."""


def cost(argv: list[str], environment: dict[str, str], ended: tuple[int, ...] = (0,)) -> Cost:
    """Run `argv` to its end. Raises RuntimeError with its last words if its exit status is none of `ended`."""
    started, peak, largest, stages = time.perf_counter(), 0, 0, dict[str, int]()
    process = subprocess.Popen(
        argv, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
    reader.start()
    while process.poll() is None:
        if time.perf_counter() - started > TIMEOUT_S:
            process.kill()
        tree = _tree(process.pid)
        stage = next((match[1] for line in reversed(lines) if (match := STAGE.match(line))), "start")
        stages[stage] = max(stages.get(stage, 0), *(_memory(pid, "Rss") for pid in tree), 0)
        largest = max(largest, *(_high_water(pid) for pid in tree), 0)
        peak = max(peak, sum(_memory(pid, "Pss") for pid in tree))
        time.sleep(INTERVAL_S)
    seconds = time.perf_counter() - started
    reader.join()
    if process.returncode not in ended:
        raise RuntimeError(f"{' '.join(argv)} ended with {process.returncode}: {''.join(lines)[-2000:]}")
    return Cost(seconds, peak, stages, largest)


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
