"""Verb `operators`: time each operator of a model, in a run of its own, as tracing costs time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunnerError
from ..model.manifest import read_manifest
from ..model.sequences import read_steps
from ..model.tensors import cycled, save
from ..runtimes.base import load_errors
from ..runtimes.model import LoadedModel
from ..runtimes.trace import read
from ..timing.loop import run_untimed

if TYPE_CHECKING:
    from ..model.accelerator import Accelerator
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array, Call
    from ..runtimes.base import Runtime
    from ..runtimes.trace import Inference, Trace

WARM_UP_COUNT, WARM_UP_S = 8, 1.0


def operators(
    slot: Path, inputs: Path, out: Path, count: int, threads: int, accelerator: Accelerator | None = None
) -> dict[str, Any]:
    """Trace `count` inferences over the first samples in `inputs`, after a warm-up.

    Writes `out/whole_ns.npy`, int64 [count], and `out/operator_ns.npy`, int64 [count, K]; the answer's `operators` says
    what the K are, in the order in which they ran. One that an inference left out took 0. Raises RunnerError.
    """
    manifest = read_manifest(slot, accelerator)
    columns, steps = read_steps(inputs, manifest)
    samples = cycled(columns)
    out.mkdir(parents=True, exist_ok=True)
    traces: list[Trace] = []

    def load(runtime: Runtime, manifest: RunnerManifest, threads: int) -> Call:
        with load_errors(manifest):
            traces.append(runtime.trace(manifest, threads, out))
        return traces[0].call

    model = LoadedModel.load(manifest, threads, samples[0], load, steps)
    run_untimed(model.call, samples, WARM_UP_COUNT, WARM_UP_S)
    for i in range(count):
        model.call(samples[i % len(samples)])
    inferences = read(traces[0])[-count:]
    if len(inferences) < count:
        raise RunnerError("run", f"the runtime traced {len(inferences)} of {count} inferences")
    described, operator_ns = _table(inferences)
    save(out / "whole_ns.npy", np.array([inference.whole_ns for inference in inferences], np.int64))
    save(out / "operator_ns.npy", operator_ns)
    facts = {**model.facts, "format": manifest.format, "count": count}
    return {**facts, "note": traces[0].note, "operators": described}


def _table(inferences: list[Inference]) -> tuple[list[dict[str, Any]], Array]:
    """List every operator that ran, and its time in each inference: int64 [inferences, operators], ns."""
    places: dict[tuple[str, str, str | None], int] = {}
    for inference in inferences:
        for operator in inference.operators:
            places.setdefault(operator[:3], len(places))
    operator_ns = np.zeros((len(inferences), len(places)), np.int64)
    for i, inference in enumerate(inferences):
        for operator in inference.operators:
            operator_ns[i, places[operator[:3]]] += operator.ns
    return [dict(zip(("kind", "name", "delegate"), key)) for key in places], operator_ns
