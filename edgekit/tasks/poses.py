"""Poses: keypoints from coordinates or heatmaps, and their similarity to labelled ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.tasks.boxes import sigmoid

COCO_SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
"""Standard deviations of annotators, relative to the root of a figure's area, of COCO's 17 keypoints
(`pycocotools.cocoeval.Params`)."""


def from_coordinates(values: Array, size: tuple[int, int], normalised: bool) -> Array:
    """Keypoints float64 [N, K, 3] of x, y in pixels and score, of coordinates [N, K, 2 or 3]; without a score it is 1.

    size: height and width. normalised: coordinates are shares of them.
    """
    points = np.asarray(values[..., :2], np.float64) * ((size[1], size[0]) if normalised else 1.0)
    scores = np.asarray(values[..., 2:], np.float64) if values.shape[-1] == 3 else np.ones_like(points[..., :1])
    return np.concatenate([points, scores], axis=-1)


def from_heatmaps(maps: Array, size: tuple[int, int], offset: float, logits: bool) -> Array:
    """Keypoints float64 [N, K, 3] of x, y in pixels and score: the largest value of each heatmap [N, K, H, W].

    The place moves a quarter of a cell towards the larger neighbour, on each axis for itself (Newell et al. 2016).
    offset: place in a cell that its value stands for, 0 for the corner, 0.5 for the centre. logits: scores are
    squashed by a sigmoid. Of equal values the first counts.
    """
    count, points, height, width = maps.shape
    flat = maps.reshape(count, points, -1)
    best = flat.argmax(axis=2)
    rows, columns = np.divmod(best, width)
    places = []
    for axis, (at, length) in enumerate(((columns, width), (rows, height))):
        step = np.array([1, width][axis])
        inner = (at > 0) & (at < length - 1)
        ahead, behind = (_value(flat, np.where(inner, best + sign * step, best)) for sign in (1, -1))
        places.append((at + offset + 0.25 * np.sign(ahead - behind)) * (size[1 - axis] / length))
    scores = _value(flat, best)
    return np.stack([*places, sigmoid(scores) if logits else scores], axis=2).astype(np.float64)


def visible_area(labels: Array) -> Array:
    """Area float64 [N] in pixels of the box around the visible keypoints of labels [N, K, 3]; 1 at least."""
    sides = visible_sides(labels)
    return np.asarray(np.maximum(sides[:, 0] * sides[:, 1], 1.0))


def visible_sides(labels: Array) -> Array:
    """Width and height float64 [N, 2] of the box around the visible keypoints; 0 where there is none."""
    hidden = labels[..., 2:] == 0
    high = np.where(hidden, -np.inf, labels[..., :2]).max(axis=1)
    low = np.where(hidden, np.inf, labels[..., :2]).min(axis=1)
    return np.asarray(np.where(np.isfinite(high), high - low, 0.0))


def similarity(points: Array, labels: Array, sigmas: Sequence[float]) -> Array:
    """Object keypoint similarity float64 [N] (COCO); 1 where no keypoint is visible.

    points: [N, K, 2]. labels: [N, K, 3] of x, y, visibility. The area is that of the box around visible keypoints.
    """
    squares = ((points - labels[..., :2]) ** 2).sum(axis=2)
    variances = (2 * np.asarray(sigmas)) ** 2
    each = np.exp(-squares / variances / (visible_area(labels)[:, None] + np.spacing(1)) / 2)
    visible = labels[..., 2] > 0
    count = visible.sum(axis=1)
    return np.asarray(np.where(count > 0, (each * visible).sum(axis=1) / np.maximum(count, 1), 1.0))


def _value(flat: Array, indices: Array) -> Array:
    return np.asarray(np.take_along_axis(flat, indices[..., None], axis=2)[..., 0], np.float64)
