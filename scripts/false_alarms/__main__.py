"""Judge sound builds by every gate: `python -m scripts.false_alarms [--builds 200]`, a table in Markdown.

Each build is a bootstrap resample of one pool of samples, with noise by a seed of its own. Limits are what is true of
all of them, the strictest that a sound build keeps: there a gate may fail in 5 of 100 builds at 95 %, and a gate that
counts (twins, patches) never. Exit 1 if one fails more often than chance explains.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import comb

import numpy as np

from edgekit.parity.data.governance import DataGovernance
from edgekit.parity.data.labels import check_labels
from edgekit.parity.gate_inputs import GateInputs
from edgekit.parity.gates import judge
from edgekit.specs.profile import Gates
from scripts.false_alarms.sound_build import Pool, endpoints, sliced, sound_build
from scripts.false_alarms.sound_data import overlaps, screen

POOL = 20_000
SAMPLES = 600
RATE = 0.05
DROPS = (
    "accuracy_drop",
    "worst_slice_drop",
    "worst_class_drop",
    "fairness_gap",
    "calibration_drop",
    "outside_auroc_drop",
    "robustness_drop",
    "systematic_drop",
    "stability_drop",
    "adversarial_drop",
)
"""Gates on what compression costs, which is nothing: their limit is 0."""
GROUPED = ("accuracy_drop", "worst_slice_drop", "worst_class_drop", "fairness_gap")
COUNTED = ("calibration_overlap", "training_overlap", "poisoned_share", "backdoor")
"""Gates on counts, which have no rate."""
CHANCE = 0.001
"""Chance of so many alarms at the stated rate, below which they are too many."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=200)
    builds = parser.parse_args(arguments).builds
    pool = Pool.of(POOL, seed=0)
    limits = _limits(pool)
    outcomes: Counter[tuple[str, str]] = Counter()
    for seed in range(builds):
        rng = np.random.default_rng([20261129, seed])
        chosen = pool.take(rng.integers(0, POOL, SAMPLES))
        outcomes.update(_alone(chosen, limits, rng))
        videos = rng.integers(0, POOL // 10, SAMPLES // 10)
        outcomes.update(_in_groups(pool.take((videos[:, None] * 10 + np.arange(10)).ravel()), limits, rng))
        print(f"\r{seed + 1} of {builds} builds", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    names = list(dict.fromkeys(name for name, _ in outcomes))
    print("| gate | limit | stated | failed | undecided | passed |\n|---|---|---|---|---|---|")
    alarms = []
    for name in names:
        rate = 0.0 if name in COUNTED else RATE
        failed, undecided, passed = (outcomes[name, outcome] for outcome in ("failed", "undecided", "passed"))
        alarms.append(_chance(failed, builds, rate) < CHANCE)
        limit = limits[name.split(",")[0]]
        shown = f"at least {limit['min']:.4f}" if "min" in limit else f"at most {limit['max']:.4g}"
        print(f"| `{name}` | {shown} | {rate:.0%} | {failed} of {builds} | {undecided} | {passed} |")
    return 1 if any(alarms) else 0


def _limits(pool: Pool) -> dict[str, dict[str, float]]:
    """Bounds of all gates at what is true of the pool."""
    rng = np.random.default_rng(1)
    theirs, ours = endpoints(pool.logits, rng)
    answers = [side.argmax(axis=1) for side in (theirs, ours)]
    known = {"confidence": 1 - RATE}
    suspicious = check_labels(theirs, pool.labels)
    assert suspicious
    right = float(np.mean([(each == pool.labels).mean() for each in answers]))
    return {
        **{name: {"max": 0.0, **known} for name in DROPS},
        "reference_accuracy": {"min": right, **known},
        "agreement": {"min": float((answers[0] == answers[1]).mean()), **known},
        "mislabelled_share": {"max": suspicious.share, **known},
        **{name: {"max": 0.0} for name in COUNTED},
    }


def _alone(chosen: Pool, limits: Mapping[str, dict[str, float]], rng: np.random.Generator) -> Counter[tuple[str, str]]:
    comparison = sound_build(chosen, rng)
    labels = comparison.governance.labels if comparison.governance else None
    whole = replace(
        comparison,
        governance=DataGovernance(sets=(), overlaps=overlaps(rng), labels=labels),
        poisoning=screen(rng),
    )
    results = judge(Gates.model_validate(limits), GateInputs(whole, 0.3, 1.0, 1.0, 0.0, "none"))
    return Counter((result.name, result.outcome) for result in results if result.name in limits)


def _in_groups(
    chosen: Pool, limits: Mapping[str, dict[str, float]], rng: np.random.Generator
) -> Counter[tuple[str, str]]:
    """Outcomes where samples come in videos, which share a part of the noise."""
    video = np.repeat(np.arange(len(chosen.labels) // 10), 10)
    comparison = sliced(chosen, endpoints(chosen.logits, rng, video), video)
    gates = Gates.model_validate({name: limits[name] for name in GROUPED})
    results = judge(gates, GateInputs(comparison, 0.3, 1.0, 1.0, 0.0, "none"))
    return Counter((f"{result.name}, in groups", result.outcome) for result in results if result.name in GROUPED)


def _chance(failed: int, builds: int, rate: float) -> float:
    """Probability of so many alarms or more at a rate."""
    return sum(comb(builds, k) * rate**k * (1 - rate) ** (builds - k) for k in range(failed, builds + 1))


if __name__ == "__main__":
    sys.exit(main())
