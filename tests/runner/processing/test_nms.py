"""Non-maximum suppression against a naive loop of its definition."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.runner.processing.nms import suppress


def overlap(one: list[float], other: list[float]) -> float:
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def naive(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, iou: float, agnostic: bool) -> list[int]:
    """Take the best box, drop what overlaps it, and so on."""
    left = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    best = []
    while left:
        first = left.pop(0)
        best.append(first)
        left = [
            i
            for i in left
            if not (
                (agnostic or classes[i] == classes[first]) and overlap(boxes[i].tolist(), boxes[first].tolist()) > iou
            )
        ]
    return best


def cloud(seed: int, count: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corner, corner + random.uniform(5, 40, (count, 2))], axis=1)
    # Scores of two digits: there are ties.
    return boxes, random.random(count).round(2), random.integers(0, 3, count)


@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_the_boxes_of_a_naive_loop_remain(seed: int, agnostic: bool) -> None:
    boxes, scores, classes = cloud(seed)
    for iou in (0.1, 0.45, 0.8):
        expected = naive(boxes, scores, classes, iou, agnostic)
        assert suppress(boxes, scores, classes, iou, agnostic=agnostic).tolist() == expected
        assert iou > 0.5 or len(expected) < len(boxes)


def test_a_limit_leaves_the_best() -> None:
    boxes, scores, classes = cloud(3)
    whole = suppress(boxes, scores, classes, 0.5)
    assert suppress(boxes, scores, classes, 0.5, limit=4).tolist() == whole[:4].tolist()


def test_equal_boxes_with_equal_scores_leave_the_first() -> None:
    boxes = np.array([[0, 0, 10, 10.0]] * 3)
    assert suppress(boxes, np.full(3, 0.5), np.zeros(3, int), 0.5).tolist() == [0]
    assert suppress(boxes, np.full(3, 0.5), np.array([1, 0, 1]), 0.5).tolist() == [0, 1]


def test_an_overlap_of_exactly_the_limit_stays_and_a_limit_of_one_suppresses_nothing() -> None:
    halves = np.array([[0, 0, 10, 10], [0, 0, 10, 5.0]])
    assert suppress(halves, np.array([0.9, 0.8]), np.zeros(2, int), 0.5).tolist() == [0, 1]
    assert suppress(halves, np.array([0.9, 0.8]), np.zeros(2, int), 0.49).tolist() == [0]
    same = np.array([[0, 0, 10, 10.0]] * 2)
    assert suppress(same, np.array([0.9, 0.8]), np.zeros(2, int), 1.0).tolist() == [0, 1]


def test_empty_boxes_and_no_boxes_are_no_trouble() -> None:
    empty = np.array([[5, 5, 5, 5.0], [5, 5, 5, 5]])
    assert suppress(empty, np.array([0.9, 0.8]), np.zeros(2, int), 0.5).tolist() == [0, 1]
    assert suppress(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int), 0.5).tolist() == []
