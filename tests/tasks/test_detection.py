"""Detection: labels, answers, agreement near the threshold, texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.errors import DataError, SpecError
from edgekit.ir.measurement import Array, Measurement
from edgekit.parity.compare import compare
from edgekit.tasks.constant_boxes import constant_precision
from edgekit.tasks.detection import Detection
from edgekit.tasks.registry import task_named
from tests.parity.examples import environment, measurement


def task(**options: Any) -> Detection:
    named = task_named("detection", {"decoder": "decoded", "size": [100, 200], **options})
    assert isinstance(named, Detection)
    return named


def rows(*boxes: list[float]) -> dict[str, Array]:
    """One output [1, M, 6] of box, score, class."""
    return {"boxes": np.array([boxes], np.float32).reshape(1, -1, 6)}


CAT, DOG = [12, 30, 80, 96, 0.91, 0], [3, 4, 50, 60, 0.55, 1]


def test_answers_are_suppressed_cut_at_the_edges_and_sorted() -> None:
    outputs = rows(DOG, CAT, [14, 30, 80, 96, 0.6, 0], [150, 50, 230, 120, 0.3, 0], [0, 0, 9, 9, 0.01, 1])
    answers = task().answers(outputs)[0]
    assert answers[:, 4].round(2).tolist() == [0.91, 0.55, 0.3]
    assert answers[2, :4].tolist() == [150, 50, 200, 100]
    assert len(task(nms_iou=1.0).answers(outputs)[0]) == 4
    assert len(task(max_boxes=2).answers(outputs)[0]) == 2


def test_a_box_has_its_best_class_or_each_of_several() -> None:
    outputs = {"boxes": np.array([[[0, 0, 9, 9.0]]]), "scores": np.array([[[0.2, 0.7, 0.6]]])}
    assert task().answers(outputs)[0][:, 4:].tolist() == [[0.7, 1]]
    assert task(multi_label=True).answers(outputs)[0][:, 4:].tolist() == [[0.7, 1], [0.6, 2], [0.2, 0]]


def test_a_picture_scores_by_the_f1_of_its_boxes() -> None:
    labels = task().collect([[[0, 12, 30, 80, 96], [0, 100, 10, 120, 30]]], 2)
    one = task(metric="f1")
    assert one.metric.name == "F1@50"
    scored = one.score(one.answers(rows(CAT, DOG)), labels)
    assert scored.each.tolist() == [0.5]
    assert scored.value == 0.5
    assert one.score(one.answers(rows()), labels).value == 0
    # The dog is an answer with a score of 0.55, and none at a threshold of 0.6.
    strict = task(metric="f1", threshold=0.6)
    assert strict.score(strict.answers(rows(CAT, DOG)), labels).value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("one", "other", "agreement"),
    [
        ([CAT, DOG], [CAT, DOG], 1),
        ([CAT, DOG], [DOG, CAT], 1),
        ([CAT, DOG], [CAT], 2 / 3),
        ([CAT], [[*CAT[:5], 1]], 0),
        ([], [], 1),
        ([CAT], [], 0),
        # On both sides of the threshold, near enough; and too far.
        ([CAT, DOG], [CAT, [3, 4, 50, 60, 0.45, 1]], 1),
        ([CAT, DOG], [CAT, [3, 4, 50, 60, 0.35, 1]], 2 / 3),
        # Below it in both, it counts in neither.
        ([CAT, [3, 4, 50, 60, 0.45, 1]], [CAT], 1),
    ],
)
def test_agreement_is_the_share_of_boxes_that_both_have(one: Any, other: Any, agreement: float) -> None:
    answers = [task().answers(rows(*boxes)) for boxes in (one, other)]
    assert task().agreement(*answers).tolist() == pytest.approx([agreement])
    assert task().agreement(*reversed(answers)).tolist() == pytest.approx([agreement])


def test_one_box_does_not_match_two() -> None:
    loose = task(agree_iou=0.3)
    one, other = (loose.answers(rows(*boxes)) for boxes in ([CAT, [12, 30, 45, 96, 0.8, 0]], [CAT]))
    assert len(one[0]) == 2
    assert loose.agreement(one, other).tolist() == loose.agreement(other, one).tolist() == [2 / 3]


def test_an_answer_is_told_in_words() -> None:
    one = task()
    answers = one.answers(rows(CAT, DOG, [0, 0, 5, 5, 0.2, 0]))
    assert one.show(answers, 0, ("cat", "dog")) == "2 boxes: cat 0.91 at 12,30,80,96; dog 0.55 at 3,4,50,60"
    assert one.show(one.answers(rows()), 0) == "no box"
    labels = one.collect([[[1, 3, 4, 50, 60]]], 2)
    assert one.show_label(labels, 0, ("cat", "dog")) == "1 box: dog at 3,4,50,60"
    many = one.answers(rows(*([20 * i, 0, 20 * i + 10, 10, 0.9, 0] for i in range(7))))
    assert one.show(many, 0).startswith("7 boxes: class 0 0.90 at ")
    assert one.show(many, 0).endswith("; …")


def test_labels_come_in_any_format() -> None:
    expected = np.array([[[1, 20, 10, 60, 40], [0, 0, 0, 200, 100]], [[np.nan] * 5] * 2])
    stated = {
        "xyxy": [[1, 20, 10, 60, 40], [0, 0, 0, 200, 100]],
        "xywh": [[1, 20, 10, 40, 30], [0, 0, 0, 200, 100]],
        "cxcywh": [[1, 40, 25, 40, 30], [0, 100, 50, 200, 100]],
        "yxyx": [[1, 10, 20, 40, 60], [0, 0, 0, 100, 200]],
    }
    for box_format, boxes in stated.items():
        np.testing.assert_array_equal(task(box_format=box_format).collect([boxes, []], 2), expected)
    shares = np.array(stated["cxcywh"]) / [1, 200, 100, 200, 100]
    collected = task(box_format="cxcywh", normalised=True).collect([shares, []], 2)
    np.testing.assert_allclose(collected, expected, atol=1e-12)
    # As an array of padded rows, which is how `.npz` has them.
    array = np.array([stated["xyxy"], [[-1, -1, -1, -1, -1]] * 2])
    np.testing.assert_array_equal(task().collect(list(array), 2), expected)


@pytest.mark.parametrize(
    ("label", "message", "hint"),
    [
        ([[0, 60, 10, 20, 40]], "inverted or empty as xyxy", "xywh"),
        ([[0, 20, 10, 20, 40]], "inverted or empty", "box_format"),
        ([[0, 150, 10, 260, 40]], "outside the picture of 100x200 pixels", "size"),
        ([[0, -30, 10, 60, 40]], "outside the picture", "pixels of the model's input"),
        ([[2, 20, 10, 60, 40]], "of a class outside 0 to 1", "classes"),
        ([[0.5, 20, 10, 60, 40]], "has no class", "class, x1"),
        ([[-2, 20, 10, 60, 40]], "has no class", "class, x1"),
        ([[0, 0.1, 0.1, 0.5, 0.9]], "smaller than a pixel", "normalised = true"),
        ([[0, np.nan, 1, 5, 9]], "holds NaN", "class, x1"),
        (3, r"shape \[\], \[M, 5\] is needed", "list of boxes"),
        ([0, 20, 10, 60, 40], r"shape \[5\]", "list of boxes"),
        ([[20, 10, 60, 40]], r"shape \[1, 4\]", "list of boxes"),
        ("cat", "not numbers", "list of boxes"),
    ],
)
def test_bad_boxes_are_refused_with_their_sample(label: Any, message: str, hint: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        task().collect([label], 2)
    assert hint in str(caught.value.hint)
    if "[" in str(label) and "shape" not in message:
        assert "of sample 0" in str(caught.value)


def test_a_box_on_the_edge_is_rounded_not_refused() -> None:
    assert task().collect([[[0, -1, 0, 201, 100.5]]], 0).tolist() == [[[0, 0, 0, 200, 100]]]


def test_labels_of_classes_that_the_outputs_do_not_have_are_refused() -> None:
    outputs = {"boxes": np.zeros((1, 3, 4)), "scores": np.zeros((1, 3, 2))}
    task().check(outputs, task().collect([[[1, 0, 0, 9, 9]]], 0))
    task().check(outputs, task().collect([[]], 0))
    task().check(outputs, None)
    with pytest.raises(DataError, match="a label is of class 2, the outputs have scores of 2 classes"):
        task().check(outputs, task().collect([[[2, 0, 0, 9, 9]]], 0))
    with pytest.raises(DataError, match=r"labels are \[4\]"):
        task().check(outputs, np.arange(4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decoder": "yolov8"}, "no decoder is named 'yolov8'"),
        ({"decoder": {"kind": "ssd", "strides": [8], "size": [3]}}, r"\[task.decoder\]: 'size': no such key"),
        ({"decoder": {"kind": "ssd", "strides": [8]}}, "exactly one of 'sizes' and 'anchors'"),
        ({"decoder": {"kind": "ssd", "strides": [8, 16], "sizes": [[3]]}}, "each of the 2 strides"),
        ({"decoder": {"kind": "ssd", "strides": [0], "sizes": [[3]]}}, "strides"),
        ({"decoder": {"strides": [8]}}, "'kind': is missing"),
        ({"decoder": 5}, "'kind': is missing"),
        ({"size": [100]}, "size"),
        ({"threshold": 2}, "threshold"),
        ({"metric": "map75"}, "'metric'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        task(**options)


def test_size_and_decoder_must_be_stated() -> None:
    with pytest.raises(SpecError, match="'size': is missing"):
        task_named("detection", {"decoder": "decoded"})
    with pytest.raises(SpecError, match="'decoder': is missing"):
        task_named("detection", {"size": [8, 8]})


def test_chance_is_one_box_for_every_picture() -> None:
    labels = np.array([[[0, 0, 0, 10, 10]], [[0, 0, 0, 10, 11]], [[0, 50, 50, 60, 60]], [[np.nan] * 5]])
    # Two of four pictures are right, with two of three objects.
    assert constant_precision(labels, 0.5) == pytest.approx(2 / 4 * 2 / 3)
    assert constant_precision(np.full((2, 1, 5), np.nan), 0.5) is None
    assert task(metric="f1").chance(labels) is None


def measured(outputs: Array, labels: Array) -> Measurement:
    base = measurement(np.zeros(len(labels), np.int64), np.zeros(len(labels), np.int64), environment("eager"))
    return Measurement(**{**vars(base), "outputs": {"boxes": outputs}, "labels": labels})


def test_a_detector_that_loses_boxes_is_compared_by_its_precision() -> None:
    random, one = np.random.default_rng(0), task()
    corner = random.uniform(0, 50, (60, 1, 2))
    boxes = np.concatenate([corner, corner + 30], axis=2)
    scores = random.uniform(0.6, 1, (60, 1, 1))
    outputs = np.concatenate([boxes, scores, np.zeros((60, 1, 1))], axis=2).astype(np.float32)
    labels = one.collect([np.concatenate([[[0.0]], box], axis=1) for box in boxes], 1)
    worse = outputs.copy()
    worse[:6, :, 4] = 0.01
    comparison = compare(measured(outputs, labels), measured(worse, labels), one, ("cat",))
    assert comparison.reference.score
    assert comparison.reference.score.value == pytest.approx(1)
    assert comparison.accuracy_drop == pytest.approx(0.1, abs=0.01)
    assert comparison.agreement == pytest.approx(0.9)
    assert comparison.flipped.tolist() == list(range(6))
    assert comparison.flip_examples[0].candidate == "no box"
    drop = comparison.drop_at(0.95)
    assert drop
    assert 0.03 < drop.low < 0.1 < drop.high < 0.2
    assert comparison.distinct_answers[0] > 50
