"""Labels that look wrong are found by a reference that is sure of another class."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.ir.measurement import Array
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


def test_sound_resamples_alarm_at_the_stated_rate_at_most() -> None:
    logits, labels = answered(4000, 5, 2, sure=2.5)
    whole = check_labels(logits, labels)
    assert whole is not None
    random = np.random.default_rng(2)
    alarms = 0
    for _ in range(200):
        chosen = random.integers(0, 4000, 500)
        check = check_labels(logits[chosen], labels[chosen])
        assert check is not None
        alarms += wilson(check.share, check.samples, 0.9).low > whole.share
    assert alarms <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5


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
