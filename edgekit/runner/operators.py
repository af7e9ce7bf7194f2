"""How long each operator of a model takes: a run of its own, for tracing costs time and latency must not pay it."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from . import system
from .errors import RunnerError
from .manifest import read_manifest
from .runtimes import installed, load_errors, open_runtime
from .tensors import check_outputs, read_columns, row

if TYPE_CHECKING:
    from .tensors import Array
    from .trace import Inference

CYCLED = 32
"""Samples that are taken in turn, at most: they are held in memory."""
WARM_UP_COUNT, WARM_UP_S = 8, 1.0


def operators(slot: Path, inputs: Path, out: Path, count: int, threads: int) -> dict[str, Any]:
    """Trace `count` inferences over the first samples in `inputs`, after some that are not kept.

    Writes `out/whole_ns.npy`, int64 [count], and `out/operator_ns.npy`, int64 [count, K]; the answer's `operators` says
    what the K are, in the order in which they ran. One that an inference left out took 0. Raises RunnerError.
    """
    manifest = read_manifest(slot)
    columns = read_columns(inputs, manifest.inputs)
    samples = [row(columns, i) for i in range(min(CYCLED, len(columns[0])))]
    label, runtime = open_runtime(manifest.format)
    out.mkdir(parents=True, exist_ok=True)
    with load_errors(manifest):
        trace = runtime.trace(manifest, threads, out)
    deadline = perf_counter() + WARM_UP_S
    for i in range(WARM_UP_COUNT):
        check_outputs(trace.call(samples[i % len(samples)]), manifest.outputs)
        if perf_counter() > deadline:
            break
    for i in range(count):
        trace.call(samples[i % len(samples)])
    found = trace.inferences()[-count:]
    if len(found) < count:
        raise RunnerError("run", f"the runtime traced {len(found)} of {count} inferences")
    described, taken = _table(found)
    np.save(out / "whole_ns.npy", np.array([inference.whole_ns for inference in found], np.int64))
    np.save(out / "operator_ns.npy", taken)
    info = {**system.info(), "runtimes": installed()}
    facts = {"format": manifest.format, "runtime": label, "threads": threads, "info": info, "count": count}
    return {**facts, "note": trace.note, "operators": described}


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
