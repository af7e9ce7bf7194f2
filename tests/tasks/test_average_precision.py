"""Average precision of any part of the samples, by matches made once; COCO's evaluation is the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.tasks.average_precision import RankedMatches
from edgekit.tasks.detection import Detection
from edgekit.tasks.metric import Scores
from tests.tasks.coco import coco_box_precision

Rows = list[np.ndarray]


def pictures(seed: int, count: int = 40, classes: int = 4, most: int = 6) -> tuple[Rows, Rows]:
    """Answers [K, 6] and labels [M, 5] of pictures: boxes that are moved, lost, invented, and named wrongly."""
    random = np.random.default_rng(seed)
    answers, labels = [], []
    for _ in range(count):
        number = int(random.integers(0, most))
        corner, sides = random.uniform(0, 60, (number, 2)), random.uniform(8, 40, (number, 2))
        names = random.integers(0, classes, number)
        boxes = np.concatenate([corner, corner + sides], axis=1)
        labels.append(np.column_stack([names, boxes]))
        moved = np.repeat(boxes, 2, axis=0) + random.normal(0, 3, (2 * number, 4))
        named = np.where(random.random(2 * number) < 0.8, np.repeat(names, 2), random.integers(0, classes, 2 * number))
        rows = np.column_stack([moved, random.random(2 * number), named])
        rows = rows[(rows[:, 2:4] > rows[:, :2] + 1).all(axis=1) & (random.random(2 * number) < 0.8)]
        answers.append(rows[np.argsort(-rows[:, 4], kind="stable")])
    return answers, labels


def scores(answers: Rows, labels: Rows, metric: str) -> Scores:
    task = Detection.model_validate({"decoder": "decoded", "size": [100, 100], "metric": metric})
    return task.score(answers, task.collect(labels, 0))


@pytest.mark.parametrize("seed", range(10))
def test_average_precision_is_cocos(seed: int) -> None:
    answers, labels = pictures(seed)
    whole, half = coco_box_precision(answers, labels)
    assert 0.05 < whole < half < 0.95
    assert scores(answers, labels, "map").value == pytest.approx(whole, abs=1e-12)
    assert scores(answers, labels, "map50").value == pytest.approx(half, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_a_resample_has_the_precision_of_its_pictures_one_by_one(seed: int) -> None:
    answers, labels = pictures(seed)
    indices = np.random.default_rng(seed).integers(0, 40, 40)
    whole, half = coco_box_precision([answers[i] for i in indices], [labels[i] for i in indices])
    assert scores(answers, labels, "map").at(indices) == pytest.approx(whole, abs=1e-12)
    assert scores(answers, labels, "map50").at(indices) == pytest.approx(half, abs=1e-12)


def test_eighty_classes_that_occur_rarely() -> None:
    answers, labels = pictures(3, count=60, classes=15)
    few = np.arange(7)
    expected = coco_box_precision([answers[i] for i in few], [labels[i] for i in few])
    assert scores(answers, labels, "map").at(few) == pytest.approx(expected[0], abs=1e-12)


def test_recalls_that_are_no_binary_fractions_are_reached_exactly() -> None:
    # 7 of 10 objects are a recall of 0.7, which linspace(0, 1, 101)[70] must be found at.
    for objects in range(1, 60):
        hits = np.arange(objects) % 3 != 2
        answers = [
            np.array([[0, 0, 10, 10, 1 - i / 100, 0] if hit else [50, 50, 60, 60, 1 - i / 100, 0]])
            for i, hit in enumerate(hits)
        ]
        labels = [np.array([[0, 0, 0, 10, 10.0]])] * objects
        expected = coco_box_precision(answers, labels)[1]
        assert scores(answers, labels, "map50").value == pytest.approx(expected, abs=1e-12), objects


def test_pictures_without_objects_and_without_answers() -> None:
    nothing, box = np.zeros((0, 6)), np.array([[0, 0, 9, 9, 0.8, 0]])
    none, one = np.zeros((0, 5)), np.array([[0, 0, 0, 9, 9.0]])
    assert scores([nothing], [none], "map").value == 1
    assert scores([box], [none], "map").value == 0
    assert scores([nothing], [one], "map").value == 0
    assert scores([nothing, box], [none, one], "map").value == 1
    assert scores([nothing, nothing], [none, one], "map50").each.tolist() == [1, 0]


def test_hits_of_equal_scores_stay_in_the_order_of_samples() -> None:
    ranking = RankedMatches(
        np.array([0, 1]), np.zeros(2, np.int64), np.array([0.5, 0.5]), np.array([True, False]), np.array([[1], [0]])
    )
    assert ranking.at(np.array([1, 1])) == 1


def test_resamples_match_no_box_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, labels = pictures(0, count=500, classes=20, most=8)
    counted = scores(answers, labels, "map")
    monkeypatch.setattr("edgekit.tasks.detection.matched", None)
    monkeypatch.setattr("edgekit.tasks.box_assignment.matched", None)
    random = np.random.default_rng(0)
    # 800 of them take 0.9 s on one core, of 80 classes and twice the boxes 2 s; a verdict needs 1,200.
    values = [counted.at(random.integers(0, 500, 500)) for _ in range(100)]
    assert 0.01 < np.std(values) / np.mean(values) < 0.1
