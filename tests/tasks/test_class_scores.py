"""Class scores of tasks: which decisions there are, of which samples, and options of their form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.errors import SpecError
from edgekit.tasks.registry import task_named
from edgekit.tasks.task_over_time import TaskOverTime

RNG = np.random.default_rng(0)


def scored(name: str, values: np.ndarray, labels: np.ndarray | None, **options: Any) -> Any:
    return task_named(name, options).class_scores({"y": values}, labels)


def test_a_classifier_decides_once_a_sample() -> None:
    scores = scored("classification", RNG.normal(size=(6, 3)), np.arange(6) % 3, scores="logits", temperature=1.5)
    assert scores.sample.tolist() == list(range(6))
    assert (scores.form, scores.temperature, scores.several) == ("logits", 1.5, False)


def test_flags_are_told_by_their_threshold() -> None:
    flags = RNG.integers(0, 2, (6, 3))
    assert scored("multi-label", RNG.random((6, 3)), flags, threshold=0.5).form == "probabilities"
    scores = scored("multi-label", RNG.normal(size=(6, 3)), flags)
    assert scores.form is None
    assert scores.several
    assert scores.truth.dtype == bool


def test_places_without_a_label_are_no_decisions() -> None:
    labels = np.array([[0, 1, -1], [2, -1, -1]])
    scores = scored("tagging", RNG.normal(size=(2, 4, 3)), labels)
    assert scores.truth.tolist() == [0, 1, 2]
    assert scores.sample.tolist() == [0, 0, 1]
    assert len(scored("tagging", RNG.normal(size=(2, 4, 3)), None).values) == 8


def test_pixels_are_spread_over_the_picture_and_ignored_ones_left_out() -> None:
    masks = np.zeros((2, 16, 16), np.uint8)
    masks[1] = 255
    scores = scored("segmentation", RNG.normal(size=(2, 3, 16, 16)), masks, ignore=255)
    assert scores.sample.tolist() == [0] * 64
    assert scored("segmentation", RNG.integers(0, 3, (2, 16, 16)), None) is None


def test_events_are_decided_at_each_frame_that_has_labels() -> None:
    values = RNG.normal(size=(2, 5, 3))
    assert scored("audio-events", values, RNG.integers(0, 2, (2, 5, 3))).sample.tolist() == [0] * 5 + [1] * 5
    clips = scored("audio-events", values, RNG.integers(0, 2, (2, 3)))
    assert np.array_equal(clips.values, values.max(axis=1))


def test_steps_are_decisions_of_their_sequence() -> None:
    task = TaskOverTime(task_named("classification"), np.array([2, 3]), per_step=True)
    scores = task.class_scores({"y": RNG.normal(size=(2, 3, 4))}, np.zeros((2, 3), np.int64))
    assert scores is not None
    assert scores.sample.tolist() == [0, 0, 1, 1, 1]


def test_a_task_of_numbers_has_none() -> None:
    assert scored("regression", RNG.normal(size=(4, 1)), np.zeros((4, 1))) is None


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("classification", {"temperature": 0}, "expected 'fit' or a number above 0"),
        ("classification", {"temperature": "fits"}, "expected 'fit' or a number above 0"),
        ("classification", {"temperature": 2, "scores": "probabilities"}, "divides logits"),
        ("multi-label", {"temperature": 2, "threshold": 0.5}, "leaves a threshold of 0"),
        ("classification", {"temperature": 2, "decode": "a.py:f"}, "divides the model's first output"),
        ("regression", {"temperature": 2}, "no such key"),
    ],
)
def test_a_temperature_that_makes_no_sense_is_refused(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        task_named(name, options)
