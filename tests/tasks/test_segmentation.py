"""Semantic segmentation: areas and boundaries of classes, over all samples and over any part of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_cdt
from sklearn.metrics import f1_score, jaccard_score

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.boundary import boundary, boundary_f, dilated
from edgekit.tasks.segmentation import Segmentation
from edgekit.tasks.task import Outputs

SIZE = (3, 12, 10)


def samples(seed: int, classes: int = 4) -> tuple[Outputs, Array]:
    """Scores [3, classes, 12, 10] and masks that are like them in most pixels."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(SIZE[0], classes, *SIZE[1:]))
    masks = np.where(random.random(SIZE) < 0.7, scores.argmax(1), random.integers(0, classes, SIZE))
    return {"scores": scores}, masks.astype(np.uint8)


@pytest.mark.parametrize("seed", range(3))
def test_miou_and_dice_are_scikit_learns_over_all_pixels_and_over_any_part_of_the_samples(seed: int) -> None:
    outputs, masks = samples(seed)
    answers = outputs["scores"].argmax(1)
    for task, oracle in (
        (Segmentation(), jaccard_score),
        (Segmentation(metric_name="dice"), f1_score),
    ):
        scores = task.score(task.answers(outputs), masks)
        assert scores.value == pytest.approx(oracle(masks.ravel(), answers.ravel(), average="macro"))
        part = np.array([2, 0, 2])
        assert scores.at(part) == pytest.approx(oracle(masks[part].ravel(), answers[part].ravel(), average="macro"))
        assert scores.each[1] == pytest.approx(oracle(masks[1].ravel(), answers[1].ravel(), average="macro"))


def test_pixels_to_ignore_and_the_background_are_left_out() -> None:
    outputs, masks = samples(5)
    answers = outputs["scores"].argmax(1)
    masks[:, :3] = 255
    task = Segmentation(ignore=255, background=False)
    task.check(outputs, masks)
    counted = masks != 255
    expected = jaccard_score(masks[counted], answers[counted], average="macro", labels=[1, 2, 3])
    assert task.score(task.answers(outputs), masks).value == pytest.approx(expected)


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_boundary_f_is_that_of_chessboard_distances(radius: int) -> None:
    random = np.random.default_rng(radius)
    answer, truth = np.zeros((20, 24), bool), np.zeros((20, 24), bool)
    answer[4:15, 5:19], truth[5:17, 4:18] = True, True
    answer ^= random.random(answer.shape) < 0.02

    def edge(mask: Array) -> Array:
        return np.asarray(mask & ~binary_erosion(mask, border_value=1))

    ours, theirs = edge(answer), edge(truth)
    precision = (distance_transform_cdt(~theirs, "chessboard")[ours] <= radius).mean()
    recall = (distance_transform_cdt(~ours, "chessboard")[theirs] <= radius).mean()
    expected = 2 * precision * recall / (precision + recall)
    everywhere = np.ones(answer.shape, bool)
    assert (boundary(answer) == ours).all()
    assert boundary_f(answer, truth, radius, everywhere) == pytest.approx(expected)
    assert (dilated(theirs, radius) == (distance_transform_cdt(~theirs, "chessboard") <= radius)).all()
    assert boundary_f(truth, truth, radius, everywhere) == 1
    assert boundary_f(~truth & truth, truth, radius, everywhere) == 0


def test_boundary_f_of_a_set_is_the_mean_of_its_samples_and_their_classes() -> None:
    masks = np.zeros((2, 16, 16), np.uint8)
    masks[:, 4:12, 4:12] = 1
    shifted = np.roll(masks, 4, axis=2)
    shifted[1] = masks[1]
    task = Segmentation(metric_name="boundary-f", radius=1)
    scores = task.score(shifted, masks)
    assert scores.each[1] == 1
    everywhere = np.ones((16, 16), bool)
    two = [boundary_f(shifted[0] == k, masks[0] == k, 1, everywhere) for k in (0, 1)]
    assert scores.each[0] == pytest.approx(np.mean(two))
    masks[0, :, 3:13] = 255
    assert Segmentation(metric_name="boundary-f", ignore=255).score(masks % 255, masks).value == 1


@pytest.mark.parametrize("metric", ["miou", "dice", "boundary-f"])
def test_equal_answers_agree_and_score_one_in_any_order(metric: Any) -> None:
    outputs, _ = samples(1)
    task = Segmentation(metric_name=metric)
    answers = task.answers(outputs)
    assert task.agreement(answers, answers).tolist() == [1, 1, 1]
    assert task.score(answers, answers).value == 1
    noisy = np.where(np.arange(10) < 5, answers, 0)
    part = np.array([2, 0, 1])
    assert task.score(noisy, answers).value == pytest.approx(task.score(noisy[part], answers[part]).value)
    assert task.agreement(answers, noisy) == pytest.approx([(answers[i] == noisy[i]).mean() for i in range(3)])


def test_every_form_of_output_gives_the_same_mask() -> None:
    outputs, masks = samples(2, classes=2)
    scores = outputs["scores"]
    expected = scores.argmax(1)
    difference = scores[:, 1] - scores[:, 0]
    forms: list[tuple[dict[str, Any], Array]] = [
        ({}, scores),
        ({"channels": "last"}, np.moveaxis(scores, 1, 3)),
        ({}, difference),
        ({}, difference[:, None]),
        ({"channels": "last", "threshold": 0.5}, 1 / (1 + np.exp(-difference[..., None]))),
        ({}, expected),
    ]
    for options, form in forms:
        task = Segmentation(**options)
        task.check({"o": form}, masks)
        assert (task.answers({"o": form}) == expected).all()


def test_chance_is_the_mask_of_the_most_frequent_class() -> None:
    masks = np.zeros((2, 4, 4), np.uint8)
    masks[:, :, 3] = 1
    assert Segmentation().chance(masks) == pytest.approx(0.75 / 2)
    assert Segmentation(metric_name="dice").chance(masks) == pytest.approx(2 * 0.75 / 1.75 / 2)
    assert Segmentation(background=False).chance(masks) == pytest.approx(0.25)
    assert Segmentation(ignore=0).chance(masks) == 1


def test_a_mask_is_told_by_the_shares_of_its_classes() -> None:
    masks = np.zeros((1, 4, 4), np.uint8)
    masks[0, 0] = 1
    masks[0, 1, 0] = 255
    task = Segmentation(ignore=255)
    assert task.show(masks % 255, 0, ("sky", "road")) == "sky 75.0 %, road 25.0 %"
    assert task.show_label(masks, 0) == "class 0 73.3 %, class 1 26.7 %"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3, 4], r"label of sample 0 is int64 \[\], segmentation needs a mask"),
        ([np.zeros((4, 4))], r"label of sample 0 is float64 \[4, 4\]"),
        ([np.zeros((4, 4, 3), np.uint8)], r"label of sample 0 is uint8 \[4, 4, 3\]"),
        ([np.zeros((4, 4), int), np.zeros((4, 5), int)], r"mask of sample 1 is \[4, 5\], that of sample 0 \[4, 4\]"),
        ([np.full((4, 4), 3)], r"label 3 of sample 0 is outside 0 to 2"),
        ([np.full((4, 4), -1)], r"label -1 of sample 0 is outside 0 to 2"),
    ],
)
def test_labels_that_are_no_masks_are_refused(labels: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        Segmentation().collect(labels, 3)
    assert "mask" in str(caught.value.hint)


def test_masks_keep_the_smallest_dtype_and_the_value_to_ignore() -> None:
    assert Segmentation(ignore=255).collect([np.full((2, 2), 255)], 3).dtype == np.uint8
    assert Segmentation(ignore=-1).collect([np.full((2, 2), -1)], 3).dtype == np.int32


def test_masks_of_another_size_or_class_than_the_output_are_refused() -> None:
    outputs, masks = samples(0)
    with pytest.raises(DataError, match=r"masks are uint8 \[12, 9\], output 'scores' is \[12, 10\]"):
        Segmentation().check(outputs, masks[..., :9])
    with pytest.raises(DataError, match="label 4 of sample 0 is outside 0 to 3"):
        Segmentation().check(outputs, np.full_like(masks, 4))
    with pytest.raises(DataError, match=r"output 'o' is float64 \[3, 5\], segmentation needs scores"):
        Segmentation().check({"o": np.zeros((3, 5))}, None)
    with pytest.raises(DataError, match="output 'o' holds -1 to 2, which are no classes"):
        Segmentation().check({"o": np.array([[[-1, 2]]])}, None)
