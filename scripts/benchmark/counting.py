"""Counting of served requests: its cost beside the inference that it follows, in one run, at the pace it settles at."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.runner.model.manifest import read_manifest
from edgekit.runner.model.sequences import read_steps
from edgekit.runner.model.tensors import real, row
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.runner.watch import answer_counter
from edgekit.runner.watch.answer_counter import AnswerCounter


def main(args: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench counting", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(args)
    with tempfile.TemporaryDirectory() as scratch:
        slot = Path(scratch) / "a"
        Bundle.open(arguments.bundle, KeyStore.of_user().trusted()).extract(slot)
        print(json.dumps(measured(slot, arguments.requests, arguments.rounds)))


def measured(slot: Path, requests: int, rounds: int) -> dict[str, object]:
    """Mean microseconds of an inference and of its counting, of the best round; the first one settles the pace."""
    manifest = read_manifest(slot)
    golden, _ = read_steps(slot / "golden" / "inputs", manifest)
    samples = [row(golden, k) for k in range(len(golden[0]))]
    model = LoadedModel.load(manifest, 1, samples[0])
    counter = AnswerCounter.of(slot, slot.parent, "0" * 64, manifest, samples[0])
    assert counter, "the bundle has no bins"
    best = (np.inf, np.inf)
    for _ in range(rounds + 1):
        infer_ns = count_ns = 0
        for k in range(requests):
            sample = samples[k % len(samples)]
            began = perf_counter_ns()
            outputs = [real(array, spec) for array, spec in zip(model.outputs(sample), manifest.reported, strict=True)]
            answered = perf_counter_ns()
            counter.count(sample, outputs, 1, answered - began)
            counter.tick()
            count_ns += perf_counter_ns() - answered
            infer_ns += answered - began
        best = min(best, (count_ns / requests / 1e3, infer_ns / requests / 1e3))
    count_us, infer_us = best
    document = counter._window.document()
    return {
        "inference_us": round(infer_us, 1),
        "counting_us": round(count_us, 1),
        "share": round(count_us / infer_us, 4),
        "inputs_measured_one_in": document["every"],
        "budget_us": max(answer_counter.BUDGET_NS / 1e3, round(answer_counter.BUDGET_SHARE * infer_us, 1)),
    }
