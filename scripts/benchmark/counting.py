"""Counting of served requests: its cost beside the inference that it follows, in one run, at the pace it settles at."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter_ns, process_time_ns

import numpy as np

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.runner.counts import answer_counter
from edgekit.runner.counts.answer_counter import AnswerCounter
from edgekit.runner.model.manifest import read_manifest
from edgekit.runner.model.sequences import read_steps
from edgekit.runner.model.tensors import real, row
from edgekit.runner.runtimes.model import LoadedModel

WARM = 3
"""Blocks that settle how seldom inputs are measured."""


def main(args: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench counting", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--requests", type=int, default=256, help="of a block")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args(args)
    with tempfile.TemporaryDirectory() as scratch:
        slot = Path(scratch) / "a"
        Bundle.open(arguments.bundle, KeyStore.of_user().trusted()).extract(slot)
        print(json.dumps(measured(slot, arguments.requests, arguments.rounds)))


def measured(slot: Path, requests: int, rounds: int) -> dict[str, object]:
    """Median microseconds of the processor of an inference, and what counting adds to it.

    Blocks with and without counting take turns, and the processor's time is compared: other programs do not count.
    """
    manifest = read_manifest(slot)
    golden, _ = read_steps(slot / "golden" / "inputs", manifest)
    samples = [row(golden, k) for k in range(len(golden[0]))]
    model = LoadedModel.load(manifest, 1, samples[0])
    counter = AnswerCounter.of(slot, slot.parent, "0" * 64, manifest, samples[0])
    assert counter, "the bundle has no bins"

    def block(counting: AnswerCounter | None) -> float:
        began = process_time_ns()
        for k in range(requests):
            sample, asked_ns = samples[k % len(samples)], perf_counter_ns()
            outputs = [real(array, spec) for array, spec in zip(model.outputs(sample), manifest.reported, strict=True)]
            if counting:
                counting.count(sample, outputs, 1, perf_counter_ns() - asked_ns)
                counting.tick()
        return (process_time_ns() - began) / requests / 1e3

    for _ in range(WARM):
        block(counter)
    pairs = np.array([(block(None), block(counter)) for _ in range(rounds)])
    infer_us, added_us = float(np.median(pairs[:, 0])), float(np.median(pairs[:, 1] - pairs[:, 0]))
    budget_us = max(answer_counter.BUDGET_NS / 1e3, answer_counter.BUDGET_SHARE * infer_us)
    return {
        "inference_us": round(infer_us, 1),
        "counting_us": round(added_us, 1),
        "share": round(added_us / infer_us, 4),
        "inputs_measured_one_in": counter.every,
        "budget_us": round(budget_us, 1),
    }
