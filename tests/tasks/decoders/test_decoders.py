"""Decoders of grids against formulas written out cell by cell, and against torch."""

from __future__ import annotations

from itertools import product
from math import ceil, exp, sqrt
from typing import Any

import numpy as np
import pytest
import torch

from edgekit.errors import DataError
from edgekit.tasks.decoders.decoder import Candidates
from edgekit.tasks.decoders.registry import decoder_of

SIZE = (40, 56)
RANDOM = np.random.default_rng(0)


def decode(options: dict[str, Any], *outputs: np.ndarray) -> Candidates:
    return decoder_of(options).decode({f"o{i}": output for i, output in enumerate(outputs)}, SIZE)


def logistic(value: float) -> float:
    return 1 / (1 + exp(-value))


def from_centre(x: float, y: float, width: float, height: float) -> list[float]:
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def map_of(stride: int) -> tuple[int, int]:
    return ceil(SIZE[0] / stride), ceil(SIZE[1] / stride)


def maps(channels: int, *strides: int) -> list[np.ndarray]:
    return [RANDOM.normal(size=(2, channels, *map_of(stride))).astype(np.float32) for stride in strides]


def close(candidates: Candidates, boxes: list[list[float]], scores: list[list[float]], picture: int = 1) -> None:
    np.testing.assert_allclose(candidates.boxes[picture], boxes, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(candidates.scores[picture], scores, rtol=1e-5, atol=1e-6)


SSD = {
    "kind": "ssd",
    "strides": [8, 16],
    "sizes": [[10, 16], [24]],
    "ratios": [[1, 2, 0.5], [1, 3]],
    "variances": [0.1, 0.2],
}


def ssd_rows() -> int:
    return 5 * 7 * 6 + 3 * 4 * 2


def test_ssd_boxes_are_offsets_of_priors() -> None:
    offsets = RANDOM.normal(size=(2, ssd_rows(), 4)).astype(np.float32)
    logits = RANDOM.normal(size=(2, ssd_rows(), 3)).astype(np.float32)
    boxes: list[list[float]] = []
    row = 0
    for stride, sizes, ratios in ((8, (10, 16), (1, 2, 0.5)), (16, (24,), (1, 3))):
        height, width = map_of(stride)
        for y, x, size, ratio in product(range(height), range(width), sizes, ratios):
            dx, dy, dw, dh = map(float, offsets[1, row])
            w, h = size * sqrt(ratio), size / sqrt(ratio)
            cx, cy = (x + 0.5) * stride + dx * 0.1 * w, (y + 0.5) * stride + dy * 0.1 * h
            boxes.append(from_centre(cx, cy, w * exp(0.2 * dw), h * exp(0.2 * dh)))
            row += 1
    scores = torch.from_numpy(logits).softmax(2)[1].double().numpy()
    close(decode(SSD, offsets, logits), boxes, scores[:, 1:].tolist())
    # Scores first, and none of them a background.
    swapped = decode({**SSD, "activation": "sigmoid", "background": -1}, logits, offsets)
    close(swapped, boxes, torch.from_numpy(logits).sigmoid()[1].double().numpy().tolist())


def test_a_light_face_detector_is_an_ssd() -> None:
    """RFB and its like: squares of three sides on the first level, softmax in the graph, priors cut at the edges."""
    options = {
        "kind": "ssd",
        "strides": [8, 16],
        "sizes": [[10, 16, 24], [32, 48]],
        "activation": "none",
        "clip": True,
    }
    count = 35 * 3 + 12 * 2
    scores = RANDOM.random((1, count, 2)).astype(np.float32)
    decoded = decode(options, scores, np.zeros((1, count, 4), np.float32))
    # As in its own prior boxes, which are shares of the picture.
    expected = []
    for stride, sides in ((8, (10, 16, 24)), (16, (32, 48))):
        height, width = map_of(stride)
        for j, i, side in product(range(height), range(width), sides):
            x, y = (i + 0.5) / (SIZE[1] / stride), (j + 0.5) / (SIZE[0] / stride)
            w, h = side / SIZE[1], side / SIZE[0]
            low_x, high_x = np.clip([x - w / 2, x + w / 2], 0, 1) * SIZE[1]
            low_y, high_y = np.clip([y - h / 2, y + h / 2], 0, 1) * SIZE[0]
            expected.append([low_x, low_y, high_x, high_y])
    close(decoded, expected, scores[0, :, 1:].tolist(), picture=0)


def test_ssd_priors_may_be_stated_side_by_side() -> None:
    offsets, logits = np.zeros((1, 35 * 2, 4)), np.zeros((1, 35 * 2, 3))
    boxes = decode({"kind": "ssd", "strides": [8], "anchors": [[[8, 16], [10, 6]]]}, offsets, logits).boxes
    assert boxes[0, :3].tolist() == [[0, -4, 8, 12], [-1, 1, 9, 7], [8, -4, 16, 12]]


def test_yolox_cells_say_centres_and_logarithms_of_sides() -> None:
    levels = maps(7, 8, 16)
    boxes: list[list[float]] = []
    scores: list[list[float]] = []
    for level, stride in zip(levels, (8, 16), strict=True):
        for y, x in product(*map(range, map_of(stride))):
            dx, dy, dw, dh, gate, *classes = map(float, level[1, :, y, x])
            boxes.append(from_centre((x + dx) * stride, (y + dy) * stride, exp(dw) * stride, exp(dh) * stride))
            scores.append([logistic(gate) * logistic(one) for one in classes])
    options = {"kind": "anchor-free", "strides": [8, 16]}
    close(decode(options, *levels), boxes, scores)
    flat = np.concatenate([level.reshape(2, 7, -1) for level in levels], axis=2).transpose(0, 2, 1)
    close(decode(options, flat), boxes, scores)
    # Maps of each part, all levels of one part after the other.
    parts = [level[:, start:stop] for start, stop in ((0, 4), (4, 5), (5, 7)) for level in levels]
    close(decode(options, *parts), boxes, scores)


def test_fcos_cells_say_distances_to_sides() -> None:
    scores_maps, distance_maps, centre_maps = maps(3, 8, 16), maps(4, 8, 16), maps(1, 8, 16)
    boxes: list[list[float]] = []
    scores: list[list[float]] = []
    for i, stride in enumerate((8, 16)):
        for y, x in product(*map(range, map_of(stride))):
            left, up, right, down = (exp(float(value)) * stride for value in distance_maps[i][1, :, y, x])
            cx, cy = stride * (x + 0.5), stride * (y + 0.5)
            boxes.append([cx - left, cy - up, cx + right, cy + down])
            gate = logistic(float(centre_maps[i][1, 0, y, x]))
            scores.append([sqrt(gate * logistic(float(one))) for one in scores_maps[i][1, :, y, x]])
    options = {
        "kind": "anchor-free",
        "strides": [8, 16],
        "regression": "ltrb",
        "centre": 0.5,
        "exponential": True,
        "parts": ["scores", "boxes", "objectness"],
        "geometric_mean": True,
    }
    close(decode(options, *scores_maps, *distance_maps, *centre_maps), boxes, scores)
    plain = decode({**options, "exponential": False, "in_strides": False}, *scores_maps, *distance_maps, *centre_maps)
    assert plain.boxes[1, 0] == pytest.approx(
        np.array([4, 4, 4, 4]) + np.array([-1, -1, 1, 1]) * distance_maps[0][1, :, 0, 0]
    )


V5 = {"kind": "yolo-v5", "raw": True, "strides": [8, 16], "anchors": [[[10, 13], [16, 30]], [[30, 61], [62, 45]]]}


def test_yolo_v5_anchors_follow_each_other_map_by_map() -> None:
    levels = maps(2 * 8, 8, 16)
    boxes: list[list[float]] = []
    scores: list[list[float]] = []
    for level, stride, anchors in zip(levels, (8, 16), (((10, 13), (16, 30)), ((30, 61), (62, 45))), strict=True):
        height, width = map_of(stride)
        for anchor, y, x in product(range(2), range(height), range(width)):
            values = [logistic(float(value)) for value in level[1, 8 * anchor : 8 * anchor + 8, y, x]]
            cx, cy = (2 * values[0] - 0.5 + x) * stride, (2 * values[1] - 0.5 + y) * stride
            w, h = (2 * values[2]) ** 2 * anchors[anchor][0], (2 * values[3]) ** 2 * anchors[anchor][1]
            boxes.append(from_centre(cx, cy, w, h))
            scores.append([values[4] * one for one in values[5:]])
    close(decode(V5, *levels), boxes, scores)
    # As the network's head has them in training, and flattened.
    heads = [level.reshape(2, 2, 8, *level.shape[2:]).transpose(0, 1, 3, 4, 2) for level in levels]
    close(decode(V5, *heads), boxes, scores)
    close(decode(V5, np.concatenate([head.reshape(2, -1, 8) for head in heads], axis=1)), boxes, scores)


def test_yolo_v5_boxes_decoded_in_the_graph() -> None:
    rows = RANDOM.random((2, 30, 7)).astype(np.float32)
    decoded = decode({"kind": "yolo-v5"}, rows)
    close(decoded, [from_centre(*map(float, row[:4])) for row in rows[1]], (rows[1, :, 4:5] * rows[1, :, 5:]).tolist())


def test_yolo_v8_sides_are_means_of_bins() -> None:
    bins = 5
    levels = maps(4 * bins + 3, 8, 16)
    boxes: list[list[float]] = []
    scores: list[list[float]] = []
    for level, stride in zip(levels, (8, 16), strict=True):
        tensor = torch.from_numpy(level).double()
        height, width = map_of(stride)
        # As ultralytics' DFL: bins of a side follow each other.
        sides = tensor[:, : 4 * bins].view(2, 4, bins, height, width).softmax(2)
        distances = (sides * torch.arange(bins).view(1, 1, bins, 1, 1)).sum(2)
        for y, x in product(range(height), range(width)):
            left, up, right, down = (float(value) for value in distances[1, :, y, x])
            boxes.append(
                [
                    (x + 0.5 - left) * stride,
                    (y + 0.5 - up) * stride,
                    (x + 0.5 + right) * stride,
                    (y + 0.5 + down) * stride,
                ]
            )
            scores.append(tensor[1, 4 * bins :, y, x].sigmoid().tolist())
    options = {"kind": "yolo-v8", "raw": True, "strides": [8, 16], "bins": bins}
    close(decode(options, *levels), boxes, scores)
    joined = np.concatenate([level.reshape(2, level.shape[1], -1) for level in levels], axis=2)
    close(decode(options, joined), boxes, scores)


def test_yolo_v8_boxes_decoded_in_the_graph() -> None:
    columns = RANDOM.random((2, 4 + 3, 30)).astype(np.float32)
    decoded = decode({"kind": "yolo-v8"}, columns)
    close(decoded, [from_centre(*map(float, box)) for box in columns[1, :4].T], columns[1, 4:].T.tolist())


def test_scores_by_class_first_are_those_of_suppression_in_a_graph() -> None:
    boxes, scores = RANDOM.random((2, 5, 4)).cumsum(2), RANDOM.random((2, 3, 5))
    close(decode({"kind": "decoded"}, boxes, scores), boxes[1].tolist(), scores[1].T.tolist())


def test_fastest_v2_anchors_of_a_cell_share_its_classes() -> None:
    anchors = (((12, 18), (37, 49), (52, 33)), ((115, 73), (119, 199), (242, 238)))
    levels = [maps(channels, stride)[0] for stride in (16, 32) for channels in (12, 3, 4)]
    boxes: list[list[float]] = []
    scores: list[list[float]] = []
    for i, stride in enumerate((16, 32)):
        sides, gates, classes = (torch.from_numpy(level[1]).double() for level in levels[3 * i : 3 * i + 3])
        height, width = map_of(stride)
        for y, x, anchor in product(range(height), range(width), range(3)):
            a, b, c, d = sides[4 * anchor : 4 * anchor + 4, y, x].sigmoid().tolist()
            w, h = anchors[i][anchor]
            cx, cy = (2 * a - 0.5 + x) * stride, (2 * b - 0.5 + y) * stride
            boxes.append(from_centre(cx, cy, (2 * c) ** 2 * w, (2 * d) ** 2 * h))
            scores.append((gates[anchor, y, x].sigmoid() * classes[:, y, x].softmax(0)).tolist())
    close(decode({"kind": "fastest-v2", "anchors": anchors}, *levels), boxes, scores)


@pytest.mark.parametrize(
    ("options", "shapes", "message"),
    [
        (SSD, [(1, 9, 4), (1, 9, 3)], "the model has 9 boxes, the decoder 234 priors"),
        (SSD, [(1, 234, 4), (1, 233, 3)], "boxes 'o0' are"),
        (SSD, [(1, 234, 4), (1, 234, 4)], "not clear which output holds boxes"),
        (SSD, [(1, 234, 4), (1, 234, 2), (1, 234, 10)], "not clear which output holds scores"),
        ({**SSD, "boxes": "b"}, [(1, 234, 4), (1, 234, 2)], "boxes = 'b': the model has no such output"),
        ({"kind": "anchor-free", "strides": [8]}, [(1, 7, 5, 6)], "do not fit strides"),
        ({"kind": "anchor-free", "strides": [8, 16]}, [(1, 7, 5, 7)], "do not fit strides"),
        ({"kind": "anchor-free", "strides": [8]}, [(1, 5, 5, 7)], "too few for"),
        ({"kind": "yolo-v8", "raw": True, "strides": [8]}, [(1, 64, 5, 7)], "leave none for classes"),
        ({"kind": "yolo-v8"}, [(1, 64, 5, 7)], "needs .N, 4 . classes, A."),
        ({"kind": "yolo-v5"}, [(1, 35, 5)], "5 numbers a box"),
        ({"kind": "yolo-v5"}, [(1, 35, 5, 7)], "decoded in the graph are"),
        (V5, [(1, 15, 5, 7)], "do not fit strides"),
        ({"kind": "decoded"}, [(1, 35, 5)], "a single decoded output is"),
        ({"kind": "fastest-v2", "anchors": [[[1, 1]], [[1, 1]]]}, [(1, 4, 3, 4)] * 6, "are not boxes, objectness"),
    ],
)
def test_outputs_of_other_shapes_are_refused(options: Any, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        decode(options, *(np.zeros(shape, np.float32) for shape in shapes))
    assert caught.value.hint


def test_outputs_that_the_graph_decoded() -> None:
    boxes, scores = RANDOM.random((2, 9, 4)) * 20, RANDOM.random((2, 9))
    classes = RANDOM.integers(0, 7, (2, 9))
    decoded = decode({"kind": "decoded", "classes": "o2", "box_format": "yxyx"}, boxes, scores, classes)
    close(decoded, boxes[1][:, [1, 0, 3, 2]].tolist(), scores[1][:, None].tolist())
    assert decoded.classes is not None
    assert decoded.classes[1, :, 0].tolist() == classes[1].tolist()
    shares = decode({"kind": "decoded", "normalised": True, "box_format": "xywh"}, boxes, scores)
    expected = [[x * 56, y * 40, (x + w) * 56, (y + h) * 40] for x, y, w, h in boxes[1].tolist()]
    close(shares, expected, scores[1][:, None].tolist())
    logits = RANDOM.normal(size=(2, 9, 3))
    squashed = decode({"kind": "decoded", "activation": "softmax", "boxes": "o0"}, boxes, logits)
    close(squashed, boxes[1].tolist(), torch.from_numpy(logits).softmax(2)[1].tolist())
    six = np.concatenate([boxes, scores[..., None], classes[..., None]], axis=2)
    assert decode({"kind": "decoded"}, six).scores[1, :, 0].tolist() == scores[1].tolist()
    with pytest.raises(DataError, match="classes"):
        decode({"kind": "decoded", "classes": "o2"}, boxes, scores, classes[:, :4])
