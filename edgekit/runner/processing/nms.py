"""Non-maximum suppression: of boxes that overlap, the one with the highest score."""

from __future__ import annotations

import numpy as np


def suppress(
    boxes: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray,
    iou: float,
    limit: int | None = None,
    agnostic: bool = False,
) -> np.ndarray:
    """Indices int64 [K] of the boxes that remain, by falling score; of equal scores the first comes first.

    Greedy, as `torchvision.ops.batched_nms`: a box goes if its intersection over union with a box of the same class
    that remains is greater than `iou`.

    boxes: float [M, 4], corners x1, y1, x2, y2. scores: float [M]. classes: int [M]. limit: largest number that
    remains, None for all. agnostic: boxes of all classes suppress each other.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, classes = np.asarray(boxes, np.float64)[order], np.asarray(classes)[order]
    areas = area(boxes)
    alive = np.ones(len(order), bool)
    remaining = []
    for i in range(len(order)):
        if not alive[i]:
            continue
        remaining.append(i)
        if len(remaining) == limit:
            break
        rest = i + 1 + np.flatnonzero(alive[i + 1 :])
        if not agnostic:
            rest = rest[classes[rest] == classes[i]]
        shared = intersection(boxes[i], boxes[rest])
        # Multiplied out, because empty boxes have no union.
        alive[rest[shared > iou * (areas[i] + areas[rest] - shared)]] = False
    return np.asarray(order[np.asarray(remaining, np.int64)])


def area(boxes: np.ndarray) -> np.ndarray:
    """Areas float [...] of boxes [..., 4] by their corners; 0 for inverted ones."""
    sides = np.clip(boxes[..., 2:] - boxes[..., :2], 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])


def intersection(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Areas of the intersections of boxes, [..., 4] with [..., 4], by the rules of broadcasting."""
    low = np.maximum(one[..., :2], others[..., :2])
    high = np.minimum(one[..., 2:], others[..., 2:])
    sides = np.clip(high - low, 0, None)
    return np.asarray(sides[..., 0] * sides[..., 1])
