"""Boxes of pictures: their formats, and their overlap. The format used inside is x1, y1, x2, y2 in pixels."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.runner.processing.nms import area, intersection

BoxFormat = Literal["xyxy", "yxyx", "xywh", "cxcywh"]
"""Two corners (x1, y1, x2, y2 or y1, x1, y2, x2), the upper left corner and the sides, or the centre and the sides."""


def corners(boxes: Array, box_format: BoxFormat, scale: tuple[float, float] = (1.0, 1.0)) -> Array:
    """Boxes float64 [..., 4] as x1, y1, x2, y2. scale: width and height to multiply by, for normalised boxes."""
    boxes = np.asarray(boxes, np.float64)
    first, second = boxes[..., :2], boxes[..., 2:]
    if box_format == "yxyx":
        first, second = first[..., ::-1], second[..., ::-1]
    elif box_format == "xywh":
        second = first + second
    elif box_format == "cxcywh":
        first, second = first - second / 2, first + second / 2
    return np.concatenate([first * scale, second * scale], axis=-1)


def iou(boxes: Array, others: Array) -> Array:
    """Intersection over union float64 [M, K] of boxes [M, 4] with boxes [K, 4]; 0 where both are empty."""
    shared: Array = intersection(boxes[:, None], others[None])
    union = area(boxes)[:, None] + area(others)[None] - shared
    return np.asarray(shared / np.where(union > 0, union, 1))


def sigmoid(values: Array) -> Array:
    """Logistic function, float64, without overflow."""
    values = np.asarray(values, np.float64)
    small = np.exp(-np.abs(values))
    return np.asarray(np.where(values >= 0, 1, small) / (1 + small))


def softmax(values: Array) -> Array:
    """Softmax over the last axis, float64."""
    values = np.asarray(values, np.float64)
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
