"""What the model of a slot answers, and how long it takes: arrays from a folder, arrays into a folder."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import system
from .counter import Counter
from .manifest import read_manifest
from .model import Model
from .tensors import read_columns, real, row
from .timing import single_stream

if TYPE_CHECKING:
    from .tensors import Array

# What is cycled is held in memory, and counts in the peak: a bound that small devices bear.
CYCLED_BYTES = 16 << 20
# Before instructions are counted: Python 3.11 and later rewrites what has run some eight times. Bounded by
# instructions, not by time, so that every run settles alike: in those of a large model Python's are nothing.
SETTLING_COUNT = 16
SETTLING_INSTRUCTIONS = 2_000_000_000


def accuracy(slot: Path, inputs: Path, out: Path, threads: int) -> dict[str, Any]:
    """Write `out/<output>.npy`, [N, …] real values, for every sample in `inputs`."""
    manifest = read_manifest(slot)
    columns = read_columns(inputs, manifest.inputs)
    model = Model.load(manifest, threads, row(columns, 0))
    stored = model.outputs(columns)
    for k, tensor in enumerate(manifest.outputs):
        _save(out / f"{tensor.name}.npy", real(stored[k], tensor))
    return {**model.facts, "count": len(columns[0]), "outputs": [tensor.name for tensor in manifest.outputs]}


def latency(slot: Path, inputs: Path, out: Path, min_count: int, min_duration_s: float, threads: int) -> dict[str, Any]:
    """Write `out/latency_ns.npy`, int64 [M]: one inference each, over the first samples in `inputs`, cycled."""
    manifest = read_manifest(slot)
    columns = read_columns(inputs, manifest.inputs)
    samples = [row(columns, i) for i in range(_cycled(columns))]
    model = Model.load(manifest, threads, samples[0])
    with system.Background() as background:
        taken = single_stream(model.call, samples, min_count, min_duration_s)
    peak_rss_bytes = system.peak_rss_bytes()
    _save(out / "latency_ns.npy", taken)
    measured = {"peak_rss_bytes": peak_rss_bytes, "count": len(taken), "background_cores": background.cores}
    return {**model.facts, **measured}


def instructions(slot: Path, inputs: Path, out: Path, count: int, threads: int) -> dict[str, Any]:
    """Write `out/instructions.npy`, int64 [count]: one inference each, of the first sample in `inputs`.

    What the runtime's threads and processes execute is in it, and what its Python wrapper does; the least of them is
    the model's figure. Raises RunnerError (counter) where the kernel counts none.
    """
    manifest = read_manifest(slot)
    sample = row(read_columns(inputs, manifest.inputs), 0)
    with Counter() as counter:
        model = Model.load(manifest, threads, sample)
        gc.collect()
        gc.disable()
        _settle(counter, model, sample)
        taken = counter.each(model.call, sample, count)
    _save(out / "instructions.npy", np.array(taken, np.int64))
    return {**model.facts, "peak_rss_bytes": system.peak_rss_bytes(), "count": len(taken)}


def _settle(counter: Counter, model: Model, sample: list[Array]) -> None:
    executed = 0
    for _ in range(SETTLING_COUNT):
        executed += counter.each(model.call, sample, 1)[0]
        if executed > SETTLING_INSTRUCTIONS:
            return


def _save(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def _cycled(columns: list[Array]) -> int:
    """How many samples are cycled: as many as fit, and at least one."""
    sample_bytes = sum(column.nbytes // len(column) for column in columns)
    return max(1, min(len(columns[0]), CYCLED_BYTES // max(1, sample_bytes)))
