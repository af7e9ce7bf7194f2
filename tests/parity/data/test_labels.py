"""Labels that look wrong are found by a reference that is sure of another class."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.ir.measurement import Array
from edgekit.parity.data import rivals
from edgekit.parity.data.labels import check_labels
from edgekit.parity.statistics.proportions import wilson


def answered(count: int, classes: int, seed: int, sure: float = 4.0) -> tuple[Array, Array]:
    """Logits [N, classes] of a network that is mostly right, and the labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    logits = random.normal(0, 1, (count, classes))
    logits[np.arange(count), labels] += sure
    return logits, labels


def test_a_mislabelled_tenth_is_found() -> None:
    logits, labels = answered(2000, 10, 0, sure=7.0)
    planted = np.arange(0, 2000, 10)
    wrong = labels.copy()
    wrong[planted] = (labels[planted] + 3) % 10
    check = check_labels(logits, wrong)
    assert check is not None
    assert check.samples == 2000
    assert 0.08 < check.share < 0.11
    assert {one.sample for one in check.examples} <= set(planted.tolist())
    sound = check_labels(logits, labels)
    assert sound is not None
    assert sound.share < 0.01


def test_an_overconfident_reference_suspects_no_more() -> None:
    logits, labels = answered(2000, 10, 1)
    plain, sharp = check_labels(logits, labels), check_labels(3 * logits, labels)
    assert plain is not None
    assert sharp is not None
    assert abs(sharp.share - plain.share) < 0.02


def unsure(count: int, seed: int) -> tuple[Array, Array]:
    """Logits [N, 10] of a network that is right as often as it says, and labels drawn by them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2.5, (count, 10))
    return logits, (logits + random.gumbel(size=logits.shape)).argmax(axis=1)


@pytest.mark.parametrize("frames", [1, 10])
def test_sound_resamples_alarm_at_the_stated_rate_at_most(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # A fifth of them, for time: each effect is less exact, and all of them hold the rate.
    monkeypatch.setattr(rivals, "POOLED_RESAMPLES", 80)
    logits, labels = unsure(4000, 2)
    whole = check_labels(logits, labels)
    assert whole is not None
    random = np.random.default_rng(2)
    alarms, trials = 0, 120
    for _ in range(trials):
        # Frames of one video are the same sample, so that only videos are independent.
        videos = random.integers(0, 4000, 300 // frames)
        chosen, video = np.repeat(videos, frames), np.repeat(np.arange(len(videos)), frames)
        check = check_labels(logits[chosen], labels[chosen], video if frames > 1 else None)
        assert check is not None
        alarms += check.interval(0.95).low > whole.share
    assert alarms <= trials * 0.05 + 3 * (trials * 0.05 * 0.95) ** 0.5


def test_estimated_thresholds_and_groups_leave_fewer_independent_samples() -> None:
    logits, labels = unsure(600, 3)
    alone = check_labels(logits, labels)
    assert alone is not None
    assert alone.design_effect is not None
    assert 1.5 < alone.design_effect < 3.5
    counted = wilson(alone.share, 600, 0.9)
    assert alone.interval(0.95).low < counted.low < counted.high < alone.interval(0.95).high
    frames = np.repeat(np.arange(600), 5)
    grouped = check_labels(logits[frames], labels[frames], frames)
    assert grouped is not None
    assert grouped.design_effect == pytest.approx(5 * alone.design_effect, rel=0.2)
    one = check_labels(logits, labels, np.zeros(600, np.int64))
    assert one is not None
    assert (one.interval(0.95).low, one.interval(0.95).high) == (0, 1)
    sure, right = answered(100, 3, 4, sure=20)
    none = check_labels(sure, right, np.arange(100) // 10)
    assert none is not None
    assert (none.share, none.design_effect) == (0, 10)


def test_of_many_samples_a_part_stands_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels = unsure(3000, 5)
    whole = check_labels(logits, labels)
    monkeypatch.setattr(rivals, "POOLED_DRAWS", 1000)
    part = check_labels(logits, labels)
    assert whole is not None
    assert part is not None
    assert part.share == whole.share
    assert part.design_effect == pytest.approx(whole.design_effect, rel=0.25)


def test_probabilities_are_taken_as_they_are() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.95, 0.05]])
    check = check_labels(probabilities, np.array([0, 0, 1, 1]))
    assert check is not None
    assert [(one.sample, one.label, one.suggested) for one in check.examples] == [(3, 1, 0)]
    assert check.thresholds == (0.85, 0.475)


def test_scores_that_are_not_finite_are_left_out() -> None:
    logits, labels = answered(100, 3, 4)
    logits[:10] = np.nan
    check = check_labels(logits, labels)
    assert check is not None
    assert check.samples == 90


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        (np.zeros((5, 3)), np.zeros(5, np.int64)),
        (np.zeros((1, 3)), np.zeros(1, np.int64)),
        (np.full((5, 3), np.nan), np.arange(5) % 3),
        (np.zeros(5), np.arange(5)),
        (np.zeros((5, 3)), np.zeros((5, 0), np.int64)),
    ],
    ids=["one class", "one sample", "NaN", "no classes", "no labels"],
)
def test_nothing_is_told_where_nothing_can_be(scores: Array, labels: Array) -> None:
    assert check_labels(scores, labels) is None
