"""Time and memory of judging paired outputs of a million samples: a comparison, its gates, and the report's bounds."""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np

from edgekit.ir.measurement import Array, Environment, Measurement, Validity, no_latency
from edgekit.parity.compare import compare
from edgekit.parity.gate_inputs import GateInputs
from edgekit.parity.gates import judge
from edgekit.specs.profile import Gates
from edgekit.tasks.classification import Classification

HERE = Environment("eager", None, None, None, None, None, "numpy", None, None, False)
GATES = Gates.model_validate(
    {
        "accuracy_drop": {"max": 0.01, "confidence": 0.95},
        "accuracy_change": {"min": -0.01, "max": 0.01, "confidence": 0.95},
        "agreement": {"min": 0.97, "confidence": 0.95},
    }
)


def main(args: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench judge", description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--metric", choices=("top1", "f1"), default="top1", help="f1 is no mean: sets are resampled")
    parser.add_argument("--groups", type=int, default=0, help="how many groups the samples come in; 0 for none")
    arguments = parser.parse_args(args)
    reference, candidate = measurements(arguments.samples, arguments.classes, arguments.groups)
    task = Classification.model_validate({"metric": arguments.metric})
    held_mb, began = peak_mb(), (time.process_time(), time.perf_counter())
    comparison = compare(reference, candidate, task)
    facts = GateInputs(comparison, 0.29, 1.0, 1.0, 0.0, "none")
    gates = judge(GATES, facts)
    spent = time.process_time() - began[0], time.perf_counter() - began[1]
    print(
        json.dumps(
            {
                "samples": arguments.samples,
                "metric": arguments.metric,
                "groups": arguments.groups,
                "cpu_s": round(spent[0], 2),
                "wall_s": round(spent[1], 2),
                "outputs_mb": round(2 * next(iter(reference.outputs.values())).nbytes / 1e6),
                "peak_mb_before": round(held_mb),
                "peak_mb": round(peak_mb()),
                "gates": {gate.name: gate.outcome for gate in gates},
            }
        )
    )


def measurements(samples: int, classes: int, groups: int) -> tuple[Measurement, Measurement]:
    """Answers of a reference that is right nine times in ten, and of one whose scores differ by noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, samples)
    scores = rng.normal(0, 1, (samples, classes)).astype(np.float32)
    scores[np.arange(samples), labels] += np.float32(3.5)
    group = rng.integers(0, groups, samples) if groups else None
    noisy = scores + rng.normal(0, 0.02, scores.shape).astype(np.float32)
    return _measurement(scores, labels, group), _measurement(noisy, labels, group)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _measurement(scores: Array, labels: Array, groups: Array | None) -> Measurement:
    return Measurement(
        outputs={"scores": scores},
        labels=labels,
        samples_digest="one",
        latency_ns=no_latency(),
        load_ns=0,
        first_ns=0,
        peak_rss_bytes=None,
        environment=HERE,
        validity=Validity(False, "not measured"),
        groups=groups,
    )
