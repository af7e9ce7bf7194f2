"""Verb `instructions`: count the instructions of single inferences of a slot's model."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..machine import system
from ..model.manifest import read_manifest
from ..model.sequences import read_steps
from ..model.tensors import row, save
from ..runtimes.model import LoadedModel
from ..timing.instruction_counter import Counter

if TYPE_CHECKING:
    from ..model.accelerator import Accelerator
    from ..model.tensors import Array

# Before instructions are counted: Python 3.11 and later rewrites what has run some eight times. Bounded by
# instructions, not by time, so that every run settles alike: in those of a large model Python's are nothing.
SETTLING_COUNT = 16
SETTLING_INSTRUCTIONS = 2_000_000_000


def instructions(
    slot: Path, inputs: Path, out: Path, count: int, threads: int, accelerator: Accelerator | None = None
) -> dict[str, Any]:
    """Write `out/instructions.npy`, int64 [count]: instructions of one inference each, of the first sample in `inputs`.

    The counts include the runtime's threads and processes and its Python wrapper; the least of them is the model's
    figure. Raises RunnerError (counter) where the kernel counts none.
    """
    manifest = read_manifest(slot, accelerator)
    columns, steps = read_steps(inputs, manifest)
    sample = row(columns, 0)
    with Counter() as counter:
        model = LoadedModel.load(manifest, threads, sample, steps=steps)
        gc.collect()
        gc.disable()
        _settle(counter, model, sample)
        counts = counter.each(model.call, sample, count)
    save(out / "instructions.npy", np.array(counts, np.int64))
    return {**model.facts, "peak_rss_bytes": system.peak_rss_bytes(), "count": len(counts)}


def _settle(counter: Counter, model: LoadedModel, sample: list[Array]) -> None:
    executed = 0
    for _ in range(SETTLING_COUNT):
        executed += counter.each(model.call, sample, 1)[0]
        if executed > SETTLING_INSTRUCTIONS:
            return
