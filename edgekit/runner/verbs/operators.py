"""How long each operator of a model takes: a run of its own, for tracing costs time and latency must not pay it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunnerError
from ..model.manifest import read_manifest
from ..model.tensors import cycled, read_columns, save
from ..runtimes.base import load_errors
from ..runtimes.model import LoadedModel
from ..runtimes.trace import read
from ..timing.loop import run_untimed

if TYPE_CHECKING:
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array, Call
    from ..runtimes.base import Runtime
    from ..runtimes.trace import Inference, Trace

WARM_UP_COUNT, WARM_UP_S = 8, 1.0


def operators(slot: Path, inputs: Path, out: Path, count: int, threads: int) -> dict[str, Any]:
    """Trace `count` inferences over the first samples in `inputs`, after some that are not kept.

    Writes `out/whole_ns.npy`, int64 [count], and `out/operator_ns.npy`, int64 [count, K]; the answer's `operators` says
    what the K are, in the order in which they ran. One that an inference left out took 0. Raises RunnerError.
    """
    manifest = read_manifest(slot)
    samples = cycled(read_columns(inputs, manifest.inputs))
    out.mkdir(parents=True, exist_ok=True)
    traces: list[Trace] = []

    def load(runtime: Runtime, manifest: RunnerManifest, threads: int) -> Call:
        with load_errors(manifest):
            traces.append(runtime.trace(manifest, threads, out))
        return traces[0].call

    model = LoadedModel.load(manifest, threads, samples[0], load)
    run_untimed(model.call, samples, WARM_UP_COUNT, WARM_UP_S)
    for i in range(count):
        model.call(samples[i % len(samples)])
    found = read(traces[0])[-count:]
    if len(found) < count:
        raise RunnerError("run", f"the runtime traced {len(found)} of {count} inferences")
    described, taken = _table(found)
    save(out / "whole_ns.npy", np.array([inference.whole_ns for inference in found], np.int64))
    save(out / "operator_ns.npy", taken)
    facts = {**model.facts, "format": manifest.format, "count": count}
    return {**facts, "note": traces[0].note, "operators": described}


def _table(found: list[Inference]) -> tuple[list[dict[str, Any]], Array]:
    """Every operator that ran, and what it took in each inference."""
    places: dict[tuple[str, str, str | None], int] = {}
    for inference in found:
        for operator in inference.operators:
            places.setdefault(operator[:3], len(places))
    taken = np.zeros((len(found), len(places)), np.int64)
    for i, inference in enumerate(found):
        for operator in inference.operators:
            taken[i, places[operator[:3]]] += operator.ns
    return [dict(zip(("kind", "name", "delegate"), key)) for key in places], taken
