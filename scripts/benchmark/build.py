"""CPU time of a build against the converters called by hand, a cached rebuild, and peak memory."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from edgekit import examples
from scripts.benchmark.processes import ROOT, Cost, cost

CASE = ROOT.parent / "shared" / "cases" / "resnet20-cifar10"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
BACKENDS = ("executorch", "onnx", "tflite")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench build", description=__doc__)
    parser.add_argument("--project", type=Path, default=CASE if CASE.is_dir() else examples.folder("digits"))
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--target", default="raspberry-pi")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(argv)
    print(f"{args.project.name} for {args.target}, medians of {args.repeats} alternating runs; seconds of CPU")
    print(
        f"{'':12}{'by hand':>9}{'build':>9}{'ratio':>8}{'cached':>9}{'start':>8}{'added':>8}{'peak':>10}{'elapsed':>15}"
    )
    for backend in args.backend or BACKENDS:
        _line(args.project, backend, args.target, args.repeats)


def _line(project: Path, backend: str, target: str, repeats: int) -> None:
    runs = [_round(project, backend, target) for _ in range(repeats)]
    by_hand, built, cached, start = (statistics.median(run[i].cpu_seconds for run in runs) for i in range(4))
    elapsed = "/".join(f"{statistics.median(run[i].seconds for run in runs):.0f}" for i in range(2))
    peak = max(run[1].peak_bytes for run in runs)
    figures = f"{by_hand:8.1f}s{built:8.1f}s{built / by_hand:8.2f}{cached:8.2f}s{start:7.2f}s{cached - start:7.2f}s"
    print(f"{backend:12}{figures}{peak / 2**20:7.0f}MiB{elapsed:>14}s", flush=True)


def _round(project: Path, backend: str, target: str) -> tuple[Cost, Cost, Cost, Cost]:
    """One run of each, next to one another: by hand, build, the same build again, and the start of the CLI alone."""
    with tempfile.TemporaryDirectory() as scratch:
        places = {f"EDGEKIT_{name}": f"{scratch}/{name}" for name in ("CACHE", "CONFIG", "DATA")}
        environment = {**places, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
        python = [sys.executable, "-m"]
        build = [*python, "edgekit.cli", "build", "--project", str(project), "--target", target, "--backend", backend]
        build += ["--out", f"{scratch}/out"]
        return (
            # One thread is the quickest for it: two spin on each other's barriers on a small network.
            cost([*python, "scripts.benchmark.by_hand", str(project), backend, scratch], {**environment, **ONE_THREAD}),
            cost(build, environment),
            cost(build, environment),
            cost([*python, "edgekit.cli", "targets"], environment),
        )
