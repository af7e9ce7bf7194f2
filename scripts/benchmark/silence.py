"""Seconds between lines of a first run on an emulated board without a terminal, where nothing is downloaded or built.

Services of continuous integration end jobs that say nothing; so do people.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scripts.benchmark.processes import ROOT

LONGEST_S = 20.0
"""Seconds without a line that are too long."""
SHOWN = 5
TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Gap:
    """Seconds without a line, and the line before them."""

    seconds: float
    after: str


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench silence", description=__doc__)
    parser.add_argument("--target", default="raspberry-pi-5")
    parser.add_argument("--command", default="run", choices=("build", "run"), help="build: no board is emulated")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        places = {f"EDGEKIT_{name}": f"{scratch}/{name}" for name in ("CACHE", "CONFIG", "DATA", "DOWNLOADS")}
        command = [args.command, "--example", "digits", "--target", args.target, "--out", f"{scratch}/out"]
        device = ["--device", "emulated"] if args.command == "run" else []
        lines = timed_lines([sys.executable, "-m", "edgekit.cli", *command, *device], places)
    found = gaps(lines)
    print(f"{len(lines) - 2} lines in {lines[-1][0]:.0f} s; most seconds without one, and the line before them:")
    for gap in sorted(found, key=lambda each: -each.seconds)[:SHOWN]:
        print(f"{gap.seconds:8.1f}  {gap.after[:100]}")
    longest = max(gap.seconds for gap in found)
    print(f"longest: {longest:.1f} s, {'at most' if longest <= LONGEST_S else 'more than'} {LONGEST_S:.0f}")
    sys.exit(longest > LONGEST_S)


def timed_lines(argv: Sequence[str], environment: dict[str, str]) -> list[tuple[float, str]]:
    """Run a command without a terminal; return its lines with the seconds since its start, from `(start)` to `(end)`.

    Raises RuntimeError, with its last words, if it cannot do what it is to do (exit status 2 or 3).
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        argv,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    clock = threading.Timer(TIMEOUT_S, process.kill)
    clock.start()
    lines = [(0.0, "(start)")]
    for line in process.stdout or ():
        lines.append((time.perf_counter() - started, line.rstrip("\n")))
    status = process.wait()
    clock.cancel()
    if status not in (0, 1):
        raise RuntimeError(f"{' '.join(argv)} ended with {status}: " + "\n".join(line for _, line in lines[-20:]))
    return [*lines, (time.perf_counter() - started, "(end)")]


def gaps(lines: Sequence[tuple[float, str]]) -> list[Gap]:
    """Seconds between each two lines that follow one another."""
    return [Gap(later - earlier, line) for (earlier, line), (later, _) in pairwise(lines)]
