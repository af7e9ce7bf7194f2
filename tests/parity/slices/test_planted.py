"""Regressions planted in answers: each is caught by its own gate while top-1 passes, and sound builds are not."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.ir.measurement import Array
from edgekit.parity.comparison import Comparison
from edgekit.parity.gates import GateResult
from edgekit.parity.slice_readings import GATES, slice_reading
from edgekit.parity.slices.record import SliceParity, SliceRecord
from edgekit.parity.statistics.estimate import Estimate
from edgekit.report.report import Report
from edgekit.specs.profile import Bound, Gates
from tests.parity.gate_examples import facts, judged
from tests.parity.slices.examples import Pictures, damaged, pictures, sliced, slices_of, sound
from tests.report.examples import made, profile

LIMITS = {
    "accuracy_drop": {"max": 0.02, "confidence": 0.95},
    "worst_slice_drop": {"max": 0.05},
    "worst_class_drop": {"max": 0.05},
    "fairness_gap": {"max": 0.03},
}


def outcomes(comparison: Comparison) -> dict[str, GateResult]:
    return {name: judged(name, bound, facts(comparison)) for name, bound in LIMITS.items()}


def reported(comparison: Comparison) -> Report:
    return made(comparison, device=None, recipe=profile(gates=Gates.model_validate(LIMITS)))


@pytest.fixture(scope="module")
def given() -> Pictures:
    return pictures()


def of_a_class(given: Pictures, answers: Array) -> Array:
    return damaged(answers, given.labels == 3, 0.15)


def of_four_percent(given: Pictures, answers: Array) -> Array:
    return damaged(answers, given.taken_by("z"), 0.3)


def constant_in_the_dark(given: Pictures, answers: Array) -> Array:
    return np.where(given.brightness <= np.quantile(given.brightness, 0.015), 0, answers)


@pytest.mark.parametrize(
    ("plant", "gate", "words"),
    [
        (of_a_class, "worst_class_drop", "class 'd' (400 samples): loses"),
        (of_four_percent, "worst_slice_drop", "camera = z (171 samples): loses"),
        (of_four_percent, "fairness_gap", "error rates of 'camera' differ by"),
        (constant_in_the_dark, "worst_slice_drop", "dark pictures, brightness at most"),
    ],
)
def test_a_planted_regression_fails_its_gate_and_is_named_and_top1_passes(
    given: Pictures, plant: object, gate: str, words: str
) -> None:
    assert callable(plant)
    comparison = sliced(given, plant(given, sound(given.reference, 1, 0.004)))
    results = outcomes(comparison)
    assert results["accuracy_drop"].outcome == "passed"
    assert results[gate].outcome == "failed"
    sentence = reported(comparison).sentence
    assert gate in sentence
    assert words in sentence
    assert "samples" in results[gate].meaning
    assert "edgekit report DIR --flips csv" in results[gate].meaning


def test_a_sound_build_passes_and_no_slice_is_named(given: Pictures) -> None:
    comparison = sliced(given, sound(given.reference, 1, 0.004))
    assert {name: result.outcome for name, result in outcomes(comparison).items()} == dict.fromkeys(LIMITS, "passed")
    assert comparison.slices
    assert comparison.slices.sentence == (
        "Of 33 slices of 32 samples or more, none is sure to lose more than the others (Holm, 95 %)."
    )


def test_of_200_sound_builds_no_more_than_the_stated_rate_are_alarms() -> None:
    given = pictures(1500)
    slices, failed, named = slices_of(given), dict.fromkeys(GATES, 0), 0
    for seed in range(200):
        comparison = sliced(given, sound(given.reference, seed), slices)
        assert comparison.slices
        named += comparison.slices.sentence.startswith("Worst slice")
        for name in GATES:
            failed[name] += judged(name, LIMITS[name], facts(comparison)).outcome == "failed"
    assert max(failed.values()) <= 10, failed
    assert named <= 10


def test_where_every_slice_loses_just_the_limit_five_of_a_hundred_fail_at_most() -> None:
    """The worst case: each of ten slices truly loses what the gate allows."""
    rng, bound, alarms, trials = np.random.default_rng(6), Bound(max=0.05), 0, 300
    for _ in range(trials):
        lost, gained = rng.binomial(200, 0.06, 10), rng.binomial(188, 0.01 / 0.94, 10)
        records = tuple(_counts(int(b), int(c), 200) for b, c in zip(lost, gained, strict=True))
        parity = SliceParity(confidence=0.95, sentence="", slices=records)
        reading = slice_reading("worst_slice_drop", bound, parity, "share")
        assert isinstance(reading, Estimate)
        alarms += reading.low > 0.05
    assert alarms / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def _counts(lost: int, gained: int, count: int) -> SliceRecord:
    return SliceRecord(
        name="s", words="s", by="s", origin="stated", samples=count, agreement=1.0, reference=1.0, candidate=1.0,
        drop=(lost - gained) / count, reference_only=lost, candidate_only=gained,
    )  # fmt: skip
