"""Overhead of edgekit's probe: its latencies against the same file in a bare loop of its runtime, taking turns."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from edgekit import examples
from scripts.benchmark.processes import ROOT

BACKENDS = ("executorch", "onnx", "tflite")
BLOCK = 64
LIMIT_S = 900.0


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench probe", description=__doc__)
    parser.add_argument("--project", type=Path, default=examples.folder("digits"))
    parser.add_argument("--profile", default="host-int8")
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--rounds", type=int, default=40, help=f"turns of {BLOCK} inferences that each side has")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # of one slot: the process that times
    args = parser.parse_args(argv)
    if args.folder:
        _time(args.folder, args.rounds)
        return
    print(f"{args.project.name}, {args.profile}, one thread, {args.rounds} turns of {BLOCK} inferences each")
    print(f"{'':12}{'edgekit p50':>14}{'bare p50':>12}{'ratio':>8}{'around, us':>13}")
    for backend in args.backend or BACKENDS:
        with tempfile.TemporaryDirectory() as scratch:
            slot = _slot(args.project, backend, args.profile, Path(scratch))
            # A process of its own: nothing of the converters' is there.
            again = [sys.executable, "-m", "scripts.benchmark", "probe", "--folder", str(slot)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            subprocess.run(
                [*again, "--rounds", str(args.rounds)], check=True, cwd=ROOT, env=environment, timeout=LIMIT_S
            )


def _slot(project: Path, backend: str, profile: str, scratch: Path) -> Path:
    """The bundle unpacked, with evaluation samples in `inputs`."""
    from edgekit.bundle.signing import SigningKey
    from edgekit.cache import Cache
    from edgekit.pipeline.request import resolve_requests
    from edgekit.pipeline.stages.compile import Compilation
    from edgekit.pipeline.stages.pack import pack_bundle
    from edgekit.pipeline.stages.stage_runner import StageRunner
    from edgekit.samples import load_samples
    from edgekit.specs.project import Project

    described = Project.read(project)
    compilation = Compilation(
        resolve_requests(described, "host", backend, profile)[0], StageRunner(Cache.default().made())
    )
    with compilation.lowered() as finished:
        bundle = pack_bundle(compilation, finished(), SigningKey.generate(), scratch)
    slot = scratch / "slot"
    bundle.extract(slot)
    (slot / "inputs").mkdir()
    load_samples(described, "evaluation", 256).save(slot / "inputs")
    return slot


def _time(slot: Path, rounds: int) -> None:
    from edgekit.runner.model.manifest import read_manifest
    from edgekit.runner.model.tensors import cycled, read_columns
    from edgekit.runner.runtimes.model import LoadedModel
    from edgekit.runner.timing.loop import single_stream
    from scripts.benchmark.bare import RUNTIMES

    manifest = read_manifest(slot)
    samples = cycled(read_columns(slot / "inputs", manifest.inputs))
    model = LoadedModel.load(manifest, 1, samples[0])
    bare = RUNTIMES[manifest.format](manifest.model, samples[0][0])
    ours: list[Any] = []
    theirs: list[Any] = []
    for _ in range(rounds):
        ours.append(single_stream(model.call, samples, BLOCK, 0).latency_ns)
        theirs.append(_bare(bare, samples))
    own, other = (float(np.median(np.concatenate(times))) for times in (ours, theirs))
    around = _around_us()
    print(f"{manifest.format:12}{own / 1e6:11.4f} ms{other / 1e6:9.4f} ms{own / other:8.3f}{around:13.2f}")


def _bare(call: Any, samples: list[Any]) -> Any:
    """Latencies in a bare loop, with a warm-up as long, the same samples and the same clock."""
    until = perf_counter_ns() + 200_000_000
    while perf_counter_ns() < until:
        call(samples[0][0])
    times_ns = []
    for i in range(BLOCK):
        array = samples[i % len(samples)][0]
        started = perf_counter_ns()
        call(array)
        times_ns.append(perf_counter_ns() - started)
    return times_ns


def _around_us() -> float:
    """Microseconds that the loop takes for each inference of a model that does nothing, with all sensors read."""
    from edgekit.runner.timing.disturbance import DisturbanceWatch
    from edgekit.runner.timing.loop import single_stream

    watch = DisturbanceWatch()
    began = perf_counter_ns()
    timed = single_stream(lambda sample: None, [0], 1, 3.0, watch.look, watch.start)
    spent = perf_counter_ns() - began - timed.warm_up_ns
    return (spent - int(timed.latency_ns.sum())) / len(timed.latency_ns) / 1e3
