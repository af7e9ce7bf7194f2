"""Tasks of sequences: which steps count, and how errors grow over time."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.parity.drift import drift, time_spans
from edgekit.tasks.classification import Classification
from edgekit.tasks.label_arrays import unlabelled
from edgekit.tasks.task import Outputs
from edgekit.tasks.task_over_time import TaskOverTime, of_sequences, step_means

LENGTH = np.array([2, 3])
# Two sequences, the first with one step of padding; classes of the steps: 0 1 | 1 1 0.
SCORES = np.eye(2)[np.array([[0, 1, 0], [1, 1, 0]])]


def test_single_samples_keep_their_task() -> None:
    task = Classification()
    assert of_sequences(task, None, np.zeros(3, np.int64)) is task


def test_one_label_is_that_of_the_last_step() -> None:
    labels = np.array([1, 1])
    task = of_sequences(Classification(), LENGTH, labels)
    answers = task.answers({"scores": SCORES})
    task.check({"scores": SCORES}, labels)
    assert task.score(answers, labels).each.tolist() == [1.0, 0.0]
    assert task.agreement(answers, task.answers({"scores": 1 - SCORES})).tolist() == [0.0, 0.0]


def test_labels_of_steps_score_a_sequence_by_their_mean() -> None:
    labels = np.array([[0, 0, 0], [1, 1, 1]])
    task = of_sequences(Classification(), LENGTH, labels)
    answers = task.answers({"scores": SCORES})
    task.check({"scores": SCORES}, labels)
    assert task.score(answers, labels).each.tolist() == [0.5, pytest.approx(2 / 3)]
    assert task.chance(labels) == pytest.approx(3 / 5)
    assert task.agreement(answers, answers).tolist() == [1.0, 1.0]
    assert task.show(answers, 0, ("no", "yes")) == Classification().show(answers, 1, ("no", "yes"))


def test_a_wrong_label_of_a_step_is_not_told_as_that_of_a_sample() -> None:
    """Step 3 of all is the second step of the second sequence."""
    labels = np.array([[0, 0, 0], [1, 2, 1]])
    with pytest.raises(DataError, match=r"label 2 of sample 3 .*, where each step of each sequence counts as a sample"):
        of_sequences(Classification(), LENGTH, labels).check({"scores": SCORES}, labels)


def test_step_means_are_those_of_each_sequence() -> None:
    random = np.random.default_rng(0)
    length = random.integers(1, 9, 20)
    values = random.standard_normal(length.sum())
    parts = np.split(values, np.cumsum(length)[:-1])
    np.testing.assert_allclose(step_means(values, length), [part.mean() for part in parts])


@pytest.mark.parametrize("count", [1, 2, 7, 8, 40, 1000])
def test_spans_cover_every_step_once_and_grow(count: int) -> None:
    spans = list(time_spans(count))
    assert [step for first, last in spans for step in range(first, last)] == list(range(count))
    lengths = [last - first for first, last in spans]
    assert lengths == sorted(lengths) or count < 40
    assert len(spans) <= 9


def _noisy(growth: float) -> tuple[Outputs, Outputs, TaskOverTime]:
    random = np.random.default_rng(0)
    reference = random.standard_normal((8, 1000, 2))
    noise = random.standard_normal(reference.shape) * 1e-3 * (1 + growth * np.arange(1000))[:, None]
    task = of_sequences(Classification(), np.full(8, 1000), unlabelled(8))
    assert isinstance(task, TaskOverTime)
    return {"y": reference}, {"y": reference + noise}, task


def test_an_error_that_grows_is_told_by_its_decibels() -> None:
    grown = drift(*_noisy(0.1)[:2], unlabelled(8), _noisy(0.1)[2])
    qualities = [span.sqnr_db for span in grown.spans if span.sqnr_db is not None]
    assert qualities[0] > qualities[-1] + 30
    assert grown.sentence.startswith("The error grows with time: ")
    assert grown.steps == 1000
    assert grown.spans[-1].reference is None


def test_an_error_that_stays_is_told_too() -> None:
    steady = drift(*_noisy(0.0)[:2], unlabelled(8), _noisy(0.0)[2])
    assert steady.sentence.startswith("The error does not grow with time: ")
    assert all(span.sqnr_db == pytest.approx(60, abs=3) for span in steady.spans if span.sqnr_db)


def test_padding_has_no_part_in_the_error() -> None:
    task = of_sequences(Classification(), LENGTH, unlabelled(2))
    assert isinstance(task, TaskOverTime)
    damaged = SCORES.copy()
    damaged[0, 2] = 9  # behind the end of the first sequence
    found = drift({"y": SCORES}, {"y": damaged}, unlabelled(2), task)
    assert found.sentence == "Over time both give the same values."
