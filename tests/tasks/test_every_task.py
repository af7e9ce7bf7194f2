"""Properties of all tasks: labels of another task are refused or read right, and equal answers agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.registry import task_named, task_names
from edgekit.tasks.task import Task

COUNT = 12
RANDOM = np.random.default_rng(0)
SCORES = RANDOM.normal(size=(COUNT, 4))
FLAGS = (np.arange(COUNT)[:, None] + np.arange(4)) % 3 == 0
CLASSES = np.arange(COUNT) % 4
IMAGES = RANDOM.random((COUNT, 3, 16, 16))
PLACES = RANDOM.normal(size=(COUNT, 5, 4))
VALUES = RANDOM.normal(size=(COUNT, 6))
DEPTHS = RANDOM.uniform(1, 9, (COUNT, 16, 16))

EXAMPLES: Mapping[str, tuple[dict[str, Array], list[Any]]] = {
    "classification": ({"o": SCORES}, list(CLASSES)),
    "multi-label": ({"o": SCORES}, list(FLAGS.astype(int))),
    "regression": ({"o": VALUES[:, :1]}, list(VALUES[:, 0] + 0.1)),
    "segmentation": ({"o": RANDOM.normal(size=(COUNT, 4, 16, 16))}, list(RANDOM.integers(0, 4, (COUNT, 16, 16)))),
    "embedding": ({"o": RANDOM.normal(size=(COUNT, 8))}, list(CLASSES)),
    "verification": ({"o": SCORES[:, 0]}, list(np.arange(COUNT) % 2)),
    "similarity": ({"o": SCORES[:, 0]}, list(SCORES[:, 0] + 0.3 * VALUES[:, 0])),
    "tagging": ({"o": PLACES}, [np.arange(1 + i % 5) % 4 for i in range(COUNT)]),
    "sequence": ({"o": PLACES}, [1 + np.arange(i % 4) % 3 for i in range(COUNT)]),
    "language-model": ({"o": PLACES}, list(RANDOM.integers(0, 4, (COUNT, 5)))),
    "anomaly": ({"o": SCORES[:, 0]}, list(np.arange(COUNT) % 2)),
    "audio-events": ({"o": SCORES}, list(FLAGS.astype(int))),
    "super-resolution": ({"o": IMAGES}, list(np.clip(IMAGES + 0.02, 0, 1))),
    "denoising": ({"o": IMAGES}, list(np.clip(IMAGES + 0.02, 0, 1))),
    "forecasting": ({"o": VALUES}, list(VALUES + 0.2)),
    "depth": ({"o": DEPTHS}, list(1.1 * DEPTHS)),
}
"""Outputs and labels of each task, as a network and a data set give them."""
ALIKE: Mapping[str, set[str]] = {
    "classification": {"embedding", "verification", "anomaly"},
    "multi-label": {"audio-events"},
    "regression": {"classification", "embedding", "verification", "anomaly", "similarity"},
    "embedding": {"classification", "verification", "anomaly"},
    "verification": {"anomaly"},
    "similarity": {"classification", "regression", "embedding", "verification", "anomaly"},
    "tagging": {"multi-label", "audio-events", "sequence", "language-model"},
    "sequence": {"multi-label", "audio-events", "tagging", "language-model"},
    "language-model": {"multi-label", "audio-events", "tagging", "sequence"},
    "anomaly": {"verification"},
    "audio-events": {"multi-label"},
    "super-resolution": {"denoising"},
    "denoising": {"super-resolution"},
    "depth": {"segmentation"},
}
"""Tasks whose labels have a form that a task has, too: whole numbers are grades, and lists of flags are tokens."""

every_task = pytest.mark.parametrize("name", EXAMPLES)


def collected(name: str) -> tuple[Task, dict[str, Array], Array]:
    outputs, labels = EXAMPLES[name]
    task = task_named(name)
    array = task.collect(labels, 0)
    task.check(outputs, array)
    return task, outputs, array


def test_every_task_of_this_folder_has_an_example() -> None:
    boxes_and_points = {"detection", "keypoints"}
    assert set(task_names()) - boxes_and_points == set(EXAMPLES)


@every_task
def test_equal_answers_agree_and_have_one_metric(name: str) -> None:
    task, outputs, labels = collected(name)
    answers = task.answers(outputs)
    agreement = task.agreement(answers, answers)
    assert agreement.shape == (COUNT,)
    assert agreement.tolist() == [1.0] * COUNT
    for figure in task.secondary(answers, answers, labels):
        assert figure.reference in (None, figure.candidate)


@every_task
def test_agreement_with_other_answers_is_a_share(name: str) -> None:
    task, outputs, _ = collected(name)
    rolled = {key: np.roll(output, 1, axis=0) for key, output in outputs.items()}
    agreement = task.agreement(task.answers(outputs), task.answers(rolled))
    assert ((agreement >= 0) & (agreement <= 1)).all()
    assert agreement.mean() < 1


@every_task
def test_a_metric_does_not_depend_on_the_order_of_the_samples(name: str) -> None:
    task, outputs, labels = collected(name)
    order = np.random.default_rng(1).permutation(COUNT)
    moved = {key: output[order] for key, output in outputs.items()}
    scores = task.score(task.answers(outputs), labels)
    assert scores.each.shape == (COUNT,)
    assert scores.each.dtype == np.float64
    assert scores.at(np.arange(COUNT)) == pytest.approx(scores.value)
    assert scores.at(order) == pytest.approx(scores.value)
    again = task.score(task.answers(moved), labels[order])
    assert again.value == pytest.approx(scores.value)
    assert again.each == pytest.approx(scores.each[order])


@every_task
def test_a_resample_of_one_sample_has_a_metric(name: str) -> None:
    task, outputs, labels = collected(name)
    scores = task.score(task.answers(outputs), labels)
    for i in range(COUNT):
        assert np.isfinite(scores.at(np.full(COUNT, i)))


@every_task
def test_chance_is_a_number_and_texts_are_short(name: str) -> None:
    task, outputs, labels = collected(name)
    chance = task.chance(labels)
    assert chance is None or np.isfinite(chance)
    assert 1 <= task.distinct(task.answers(outputs)) <= COUNT
    for text in (task.show(task.answers(outputs), 3), task.show_label(labels, 3)):
        assert 0 < len(text) < 120


@every_task
@pytest.mark.parametrize("other", EXAMPLES)
def test_labels_of_another_task_are_refused_or_scored(name: str, other: str) -> None:
    """Only labels of a form that the task has, too, get as far as a score."""
    task, outputs = task_named(name), EXAMPLES[name][0]
    if other not in {name, *ALIKE.get(name, ())}:
        with pytest.raises(DataError) as caught:
            task.check(outputs, task.collect(EXAMPLES[other][1], 0))
        assert caught.value.code == "EK105"
        assert caught.value.hint
        return
    labels = task.collect(EXAMPLES[other][1], 0)
    task.check(outputs, labels)
    assert np.isfinite(task.score(task.answers(outputs), labels).value)
