"""Keypoints: coordinates and heatmaps, PCK and similarity; COCO's evaluation is the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.errors import DataError, SpecError
from edgekit.tasks.keypoints import Keypoints
from edgekit.tasks.poses import from_heatmaps
from edgekit.tasks.registry import task_named
from tests.tasks.coco import coco_keypoint_precision


def task(**options: Any) -> Keypoints:
    named = task_named("keypoints", {"size": [100, 200], **options})
    assert isinstance(named, Keypoints)
    return named


def figures(seed: int, count: int = 60, points: int = 17) -> tuple[np.ndarray, np.ndarray]:
    """Poses [N, K, 3] and labels [N, K, 3], some of whose keypoints are hidden."""
    random = np.random.default_rng(seed)
    labels = random.uniform((0, 0), (200, 100), (count, points, 2))
    visibility = random.choice([0, 1, 2], (count, points), p=(0.2, 0.3, 0.5))
    errors = random.normal(0, 1, labels.shape) * np.exp(random.normal(1.5, 1, (count, 1, 1)))
    poses = np.concatenate([labels + errors, random.random((count, points, 1))], axis=2)
    return poses, np.concatenate([labels * (visibility > 0)[..., None], visibility[..., None]], axis=2)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_cocos(seed: int) -> None:
    poses, labels = figures(seed)
    one = task(metric="oks-ap")
    scored = one.score(one.answers({"pose": poses}), one.collect(labels.tolist(), 0))
    whole, half = coco_keypoint_precision(poses[..., :2], poses[..., 2].mean(axis=1), labels)
    assert 0.2 < whole < half
    assert scored.value == pytest.approx(whole, abs=1e-12)
    part = np.random.default_rng(seed).integers(0, 60, 60)
    expected, _ = coco_keypoint_precision(poses[part][..., :2], poses[part][..., 2].mean(axis=1), labels[part])
    assert scored.at(part) == pytest.approx(expected, abs=1e-12)


def test_pck_counts_the_visible_keypoints_that_are_near() -> None:
    labels = task().collect([[[0, 0, 2], [100, 0, 2], [0, 50, 1], [9, 9, 0]]], 0)
    pose = np.array([[[0, 19, 1], [100, 21, 1], [0, 50, 1], [50, 50, 1.0]]])
    assert task().metric.name == "PCK@0.2"
    for options, right in (
        ({}, 2),
        ({"alpha": 0.3}, 3),
        ({"normaliser": 50.0}, 1),
        ({"normaliser": [0, 2], "alpha": 0.4}, 2),
        ({"normaliser": [0, 3]}, 0),
    ):
        scored = task(**options).score(pose, labels)
        assert scored.each.tolist() == pytest.approx([right / 3]), options
        assert scored.value == pytest.approx(right / 3)


def test_pck_is_pooled_over_keypoints_not_over_figures() -> None:
    labels = np.array([[[0, 0, 1], [100, 0, 1], [50, 0, 1]], [[10, 0, 1], [60, 0, 0], [0, 0, 0]]], float)
    answers = np.array([[[0, 0, 1], [100, 0, 1], [50, 0, 1]], [[90, 0, 1], [60, 0, 1], [0, 0, 1.0]]])
    scored = task(normaliser=50.0).score(answers, labels)
    assert scored.each.tolist() == [1, 0]
    assert scored.value == 3 / 4
    assert scored.at(np.array([1, 1])) == 0


def test_similarity_is_cocos_formula() -> None:
    labels = np.array([[[10, 10, 2], [60, 30, 1], [5, 5, 0]]], float)
    answers = np.array([[[13, 14, 1], [60, 30, 1], [99, 99, 1.0]]])
    expected = (np.exp(-25 / (2 * 50 * 20 * (2 * 0.1) ** 2)) + 1) / 2
    one = task(metric="oks", sigmas=[0.1, 0.05, 0.05])
    assert one.score(answers, labels).value == pytest.approx(expected)
    assert one.metric.name == "OKS"


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_a_heatmap_is_read_at_its_peak_and_a_quarter_towards_the_larger_neighbour(offset: float) -> None:
    random = np.random.default_rng(0)
    maps = random.normal(size=(3, 4, 10, 20)).astype(np.float32)
    points = from_heatmaps(maps, (40, 100), offset, logits=True)
    for picture in range(3):
        for k in range(4):
            own = maps[picture, k]
            y, x = np.unravel_index(own.argmax(), own.shape)
            column, row = float(x), float(y)
            if 0 < x < 19:
                column += 0.25 * np.sign(own[y, x + 1] - own[y, x - 1])
            if 0 < y < 9:
                row += 0.25 * np.sign(own[y + 1, x] - own[y - 1, x])
            expected = [(column + offset) * 5, (row + offset) * 4, 1 / (1 + np.exp(-float(own.max())))]
            np.testing.assert_allclose(points[picture, k], expected)
    assert task(size=[40, 100], offset=offset, logits=True).answers({"maps": maps}).tolist() == points.tolist()


def test_a_peak_at_the_edge_stays_on_its_cell_and_a_flat_map_has_its_first() -> None:
    maps = np.zeros((1, 2, 3, 3))
    maps[0, 0, 2, 1] = 1
    assert from_heatmaps(maps, (3, 3), 0.0, logits=False)[0].tolist() == [[1, 2, 1], [0, 0, 0]]


def test_coordinates_may_be_shares_of_the_picture() -> None:
    values = np.array([[[0.5, 0.25], [1.0, 1.0]]], np.float32)
    assert task(normalised=True).answers({"p": values}).tolist() == [[[100, 25, 1], [200, 100, 1]]]
    assert task().answers({"p": values})[0, 0].tolist() == [0.5, 0.25, 1]


def test_two_endpoints_agree_on_keypoints_within_the_tolerance() -> None:
    one = np.array([[[10, 10, 0.9], [50, 50, 0.9], [80, 80, 0.1], [0, 0, 0.1]]])
    other = one + np.array([[[3, 2, 0], [3, 3, 0], [50, 0, 0], [50, 0, 0.5]]])
    assert task().agreement(one, other).tolist() == [1 / 4]
    assert task(min_score=0.3).agreement(one, other).tolist() == [2 / 4]
    assert task(tolerance=0.03).agreement(one, other).tolist() == [2 / 4]


def test_chance_is_the_median_pose() -> None:
    labels = np.array([[[10, 10, 1], [50, 50, 1]], [[11, 10, 1], [50, 90, 1]], [[90, 90, 1], [0, 0, 0]]], float)
    assert task(normaliser=25.0).chance(labels) == pytest.approx(2 / 5)
    assert task(metric="oks-ap", sigmas=[0.1, 0.1]).chance(labels) is None


def test_a_pose_is_told_in_words() -> None:
    points = np.array([[[10, 10.4, 0.9], [50, 50, 0.1]]])
    assert task().show(points, 0, ("nose", "tail")) == "nose 10,10; tail 50,50"
    assert task(min_score=0.5).show(points, 0) == "0 10,10"
    assert task().show_label(np.array([[[3, 4, 0.0]]]), 0) == "no keypoint"


@pytest.mark.parametrize(
    ("label", "message", "hint"),
    [
        ([[10, 20, 3]], "visibility than 0, 1 or 2", "visibility"),
        ([[10, 20, 0.5]], "visibility", "visibility"),
        ([[10, 120, 2]], "keypoint 0 .10, 120, 2. of sample 0 is outside the picture of 100x200", "size"),
        ([[-10, 20, 1]], "outside the picture", "after resizing"),
        ([[np.nan, 20, 1]], "outside the picture", "after resizing"),
        ([[0.3, 0.4, 1], [0.9, 1.0, 1]], "within the first pixel", "multiply"),
        (3, r"labels are \[\] a sample, keypoints are \[K, 3\]", "visibility"),
        ([[0, 1, 2, 3, 4]], r"labels are \[1, 5\]", "visibility"),
    ],
)
def test_bad_keypoints_are_refused(label: Any, message: str, hint: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        task().collect([label], 0)
    assert hint in str(caught.value.hint)


def test_labels_and_outputs_of_other_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="different shapes"):
        task().collect([[[1, 2, 1]], [[1, 2, 1], [3, 4, 1]]], 0)
    with pytest.raises(DataError, match="has 5 keypoints"):
        task().check({"p": np.zeros((1, 5, 2))}, np.zeros((1, 4, 3)))
    with pytest.raises(DataError, match=r"output 'p' is \[1, 10\]"):
        task().check({"p": np.zeros((1, 10))}, None)
    with pytest.raises(DataError, match="sigmas has 0 values, there are 5 keypoints"):
        task(metric="oks").collect([[[1, 2, 1]] * 5], 0)
    with pytest.raises(DataError, match="there are 2 keypoints"):
        task(normaliser=[0, 2]).collect([[[1, 20, 1]] * 2], 0)
    with pytest.raises(SpecError, match="two keypoints"):
        task(normaliser=[1, 1])
    task().check({"maps": np.zeros((1, 5, 8, 8))}, task().collect([[[1, 20]] * 5], 0))
