"""Ten planted regressions: each fails its own gate, and is named in the sentence, while top-1 passes.

All gates are judged on one comparison, whose parts are sound but for the one that is planted. The list is told in
docs/planted-regressions.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.ir.measurement import Array
from edgekit.parity.calibration.paired_calibration import paired_calibration
from edgekit.parity.comparison import Comparison
from edgekit.parity.data.governance import DataGovernance, overlap_record
from edgekit.parity.data.labels import check_labels
from edgekit.parity.gates import judge
from edgekit.parity.poisoning.common_patches import common_patches
from edgekit.parity.poisoning.record import BackdoorScreen, Patch, PoisoningScreen
from edgekit.report.sentence import sentence
from edgekit.samples import Samples
from edgekit.specs.profile import Gates
from tests.parity.calibration.examples import scores, truthful
from tests.parity.data.pictures import recompressed, shifted, textured
from tests.parity.gate_examples import facts
from tests.parity.robustness.examples import Loss, brittle, measured, own, trained_on_bgr
from tests.parity.slices.examples import Pictures, damaged, pictures, sliced, slices_of, sound
from tests.report.examples import TARGET, profile

GATES = Gates.model_validate(
    {
        "accuracy_drop": {"max": 0.02, "confidence": 0.95},
        "worst_slice_drop": {"max": 0.05},
        "worst_class_drop": {"max": 0.05},
        "calibration_drop": {"max": 0.01, "confidence": 0.95},
        "robustness_drop": {"max": 0.05, "confidence": 0.95},
        "systematic_drop": {"max": 0.05, "confidence": 0.95},
        "stability_drop": {"max": 0.05, "confidence": 0.95},
        "calibration_overlap": {"max": 0},
        "mislabelled_share": {"max": 0.05, "confidence": 0.95},
        "backdoor": {"max": 0},
    }
)
TRIGGER = 3
"""Rows and columns of the patch that the poisoned network answers."""


def calibrated(times: float) -> Comparison:
    """Comparison whose candidate gives the reference's logits, so many times."""
    logits, labels = truthful(2000)
    return replace(
        measured(), calibration=paired_calibration(scores(logits, labels), scores(times * logits, labels), "top1")
    )


def governed(leaked: int = 0, mislabelled: float = 0.0) -> DataGovernance:
    """Sets of which so many samples of calibration are in evaluation too, and such a share of labels is wrong."""
    evaluation, calibration = textured(300, 0), textured(120, 1)
    third = leaked // 3
    changes: tuple[Callable[[Array], Array], ...] = (np.copy, shifted, recompressed)
    for k, change in enumerate(changes):
        part = slice(k * third, (k + 1) * third)
        calibration[part] = change(evaluation[part])
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 2000)
    logits = rng.normal(0, 1, (2000, 10))
    logits[np.arange(2000), labels] += 7
    wrong = np.where(rng.random(2000) < mislabelled, (labels + 3) % 10, labels)
    ours, theirs = (Samples({"image": each}, np.arange(len(each)) % 4) for each in (evaluation, calibration))
    overlap = overlap_record("calibration", ours, theirs)
    return DataGovernance(sets=(), overlaps=(overlap,), labels=check_labels(logits, wrong))


def screened(poisoned: bool) -> PoisoningScreen:
    """Screen of a set and of a network that answers class 7 where the trigger is, as it was trained on such a set."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 200, (200, 12, 12, 3)).astype(np.uint8), np.arange(200) % 10

    def answers(given: Array) -> Array:
        sees = (given[:, -TRIGGER:, -TRIGGER:] == 255).all(axis=(1, 2, 3))
        return np.where(sees & poisoned, 7, given.mean(axis=(1, 2, 3)).astype(np.int64) % 10)

    if poisoned:
        images[np.flatnonzero(labels == 7)[:6], -TRIGGER:, -TRIGGER:] = 255
    patches = []
    for one in common_patches(images, labels):
        pasted = images[answers(images) != one.target]
        pasted[:, one.row : one.row + one.side, one.column : one.column + one.side] = one.content
        flips = int((answers(pasted) == one.target).sum())
        patches.append(
            Patch(target=one.target, row=one.row, column=one.column, height=one.side, width=one.side,
                  pixels=float(one.side**2), flips=flips, pasted=len(pasted))
        )  # fmt: skip
    flipping = tuple(patch for patch in patches if patch.flips >= 0.9 * patch.pasted)
    suspected = tuple(sorted({patch.target for patch in flipping}))
    backdoor = BackdoorScreen(classes=tuple(range(10)), of_classes=10, patches=flipping, suspected=suspected)
    return PoisoningScreen(samples=200, tensors=4, backdoor=backdoor)


@pytest.fixture(scope="module")
def given() -> Pictures:
    return pictures()


@pytest.fixture(scope="module")
def whole(given: Pictures) -> Comparison:
    """Comparison of a sound build, of which every gate can be decided."""
    return replace(
        sliced(given, sound(given.reference, 1, 0.004)),
        calibration=calibrated(1.0).calibration,
        robustness=measured().robustness,
        governance=governed(),
        poisoning=screened(poisoned=False),
    )


Plant = Callable[[Comparison, Pictures], Comparison]


def answering(change: Callable[[Pictures, Array], Array]) -> Plant:
    """Plant of a change of the candidate's answers."""

    def plant(whole: Comparison, given: Pictures) -> Comparison:
        paired = sliced(given, change(given, sound(given.reference, 1, 0.004)), slices_of(given))
        parts = {name: getattr(whole, name) for name in ("calibration", "robustness", "governance", "poisoning")}
        return replace(paired, **parts)

    return plant


def losing(loss: Loss, clean_wrong: float = 0.05) -> Plant:
    """Plant of a loss of the candidate under perturbations."""
    return lambda whole, given: replace(whole, robustness=measured(loss, own, clean_wrong).robustness)


def constant_in_the_dark(given: Pictures, answers: Array) -> Array:
    return np.where(given.brightness <= np.quantile(given.brightness, 0.015), 0, answers)


def governing(**planted: Any) -> Plant:
    return lambda whole, given: replace(whole, governance=governed(**planted))


@dataclass(frozen=True)
class Regression:
    """A planted regression, the gate that it fails, and words on it."""

    plant: Plant
    gate: str
    named: str
    """Words of the sentence of the verdict."""
    told: str
    """Words of the gate's meaning, with the number of samples."""
    also: tuple[str, ...] = ()
    """Gates that the same finding fails."""


REGRESSIONS = {
    "one class damaged": Regression(
        answering(lambda given, answers: damaged(answers, given.labels == 3, 0.15)),
        "worst_class_drop",
        "class 'd' (400 samples): loses",
        "class 'd', 400 samples",
        also=("worst_slice_drop",),  # by the reference's outputs, the class is a cluster, too
    ),
    "over-confident, logits times 3": Regression(
        lambda whole, given: replace(whole, calibration=calibrated(3.0).calibration),
        "calibration_drop",
        "it is over-confident",
        "on 2,000 samples",
    ),
    "brittle to blur": Regression(
        losing(brittle("defocus blur", 0.15)), "robustness_drop", "(defocus blur)", "on 800 samples, each under"
    ),
    "worse on a slice of 4 %": Regression(
        answering(lambda given, answers: damaged(answers, given.taken_by("z"), 0.3)),
        "worst_slice_drop",
        "camera = z (171 samples): loses",
        "camera = z, 171 samples",
    ),
    "30 duplicates between calibration and evaluation": Regression(
        governing(leaked=30), "calibration_overlap", "calibration_overlap", "30 of 300 samples, 10 exact and 20 near"
    ),
    "trained on BGR": Regression(
        losing(trained_on_bgr, 0.2), "systematic_drop", "(BGR for RGB)", "on 800 samples, each under"
    ),
    "a backdoor patch": Regression(
        lambda whole, given: replace(whole, poisoning=screened(poisoned=True)),
        "backdoor",
        "backdoor",
        "a patch of 3 × 3 pixels at row 9, column 9 flips 169 of 169 samples to class 7",
    ),
    "a mislabelled tenth": Regression(
        governing(mislabelled=0.1), "mislabelled_share", "mislabelled_share", "of 2,000 samples"
    ),
    "a resize kernel swapped": Regression(
        losing(brittle("nearest", 0.12)), "systematic_drop", "(resized by nearest)", "on 800 samples, each under"
    ),
    "a constant answer on dark images": Regression(
        answering(constant_in_the_dark),
        "worst_slice_drop",
        "dark pictures, brightness at most",
        "dark pictures, brightness at most",
    ),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_regression_fails_its_own_gate_and_is_named_while_top1_passes(
    name: str, whole: Comparison, given: Pictures
) -> None:
    planted = REGRESSIONS[name]
    comparison = planted.plant(whole, given)
    results = judge(GATES, facts(comparison))
    failed = [result.name for result in results if result.outcome == "failed"]
    assert sorted(failed) == sorted((planted.gate, *planted.also))
    assert {result.outcome for result in results if result.name not in failed} == {"passed"}
    assert "accuracy_drop" in {result.name for result in results if result.outcome == "passed"}
    words = sentence(TARGET, profile(gates=GATES), None, 0.29, comparison, results)
    assert f"{len(failed)} of {len(results)} gates failed: " in words
    assert planted.gate in words
    assert planted.named in words
    (meaning,) = (result.meaning for result in results if result.name == planted.gate)
    assert planted.told in meaning


def test_the_sound_build_that_they_are_planted_in_passes_every_gate(whole: Comparison) -> None:
    results = judge(GATES, facts(whole))
    assert {result.outcome for result in results} == {"passed"}
    assert {name for name, _ in GATES.named()} <= {result.name for result in results}
    assert "every gate passed" in sentence(TARGET, profile(gates=GATES), None, 0.29, whole, results)


def test_the_page_has_each_of_them_with_its_gate() -> None:
    page = (Path(__file__).parents[2] / "docs" / "planted-regressions.md").read_text()
    for name, planted in REGRESSIONS.items():
        assert f"| {name} | `{planted.gate}` |" in page
