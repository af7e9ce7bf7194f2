"""Post-training quantization and sensitivity analysis: seconds and peak memory, by backend."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from edgekit import examples
from scripts.benchmark.build import BACKENDS, CASE
from scripts.benchmark.processes import ROOT, cost


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench compression", description=__doc__)
    parser.add_argument("--project", type=Path, default=CASE if CASE.is_dir() else examples.folder("digits"))
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--target", default="raspberry-pi")
    parser.add_argument("--set", action="append", default=[], metavar="K=V", help="as edgekit build takes it")
    args = parser.parse_args(argv)
    print(f"{args.project.name} for {args.target}: seconds of a stage or command, peak memory of all its processes")
    print(f"{'':12}{'quantize':>10}{'build':>9}{'peak':>10}{'diagnose':>11}{'peak':>10}")
    for backend in args.backend or BACKENDS:
        _line(args.project, backend, args.target, [word for change in args.set for word in ("--set", change)])


def _line(project: Path, backend: str, target: str, changes: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        places = {f"EDGEKIT_{name}": f"{scratch}/{name}" for name in ("CACHE", "CONFIG", "DATA")}
        environment = {**places, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
        edgekit = [sys.executable, "-m", "edgekit.cli"]
        options = ["--project", str(project), "--target", target, "--backend", backend, *changes]
        built = cost([*edgekit, "build", *options, "--out", f"{scratch}/out"], environment)
        report = json.loads(Path(scratch, "out", "report.json").read_text())
        quantize = next(stage["seconds"] for stage in report["stages"] if stage["name"] == "quantize")
        looked = cost([*edgekit, "diagnose", *options], environment)
    sizes = [f"{one.peak_bytes / 2**20:7.0f}MiB" for one in (built, looked)]
    print(f"{backend:12}{quantize:9.1f}s{built.seconds:8.1f}s{sizes[0]}{looked.seconds:10.1f}s{sizes[1]}", flush=True)
