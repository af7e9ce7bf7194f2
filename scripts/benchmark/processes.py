"""Seconds that a command takes, and the peak of the memory that it and all its children hold."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
INTERVAL_S = 0.05
TIMEOUT_S = 900.0


@dataclass(frozen=True)
class Cost:
    """Seconds and memory of one run of a command."""

    seconds: float
    peak_bytes: int
    """The most memory of the whole process tree at once; shared pages are counted once (PSS)."""


def cost(argv: list[str], environment: dict[str, str], ended: tuple[int, ...] = (0,)) -> Cost:
    """Run `argv` to its end. Raises RuntimeError with its last words if its exit status is none of `ended`."""
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(
        argv, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while process.poll() is None:
        if time.perf_counter() - started > TIMEOUT_S:
            process.kill()
        peak = max(peak, sum(map(_pss, _tree(process.pid))))
        time.sleep(INTERVAL_S)
    seconds = time.perf_counter() - started
    if process.returncode not in ended:
        output = process.stdout.read() if process.stdout else ""
        raise RuntimeError(f"{' '.join(argv)} ended with {process.returncode}: {output[-2000:]}")
    return Cost(seconds, peak)


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(below for child in children for below in _tree(int(child)))]


def _pss(pid: int) -> int:
    try:
        match = re.search(r"^Pss:\s*(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match.group(1)) * 1024 if match else 0
