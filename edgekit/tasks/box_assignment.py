"""Matching of boxes to objects, and of the boxes of two endpoints to each other."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.tasks.boxes import iou


def matched(boxes: Array, classes: Array, objects: Array, object_classes: Array, thresholds: Array) -> Array:
    """Flags bool [T, M]: boxes that are matched to an object of their class, for each threshold of overlap.

    Greedy (COCO): in the order of the boxes, which is by falling score, each takes the free object that it overlaps
    most, if by the threshold at least; of equals the last.

    boxes: [M, 4] with classes [M]. objects: [G, 4] with classes [G]. thresholds: [T], intersection over union.
    """
    hits = np.zeros((len(thresholds), len(boxes)), bool)
    if not len(boxes) or not len(objects):
        return hits
    overlaps = np.where(classes[:, None] == object_classes[None], iou(boxes, objects), -1.0)
    free = np.ones((len(thresholds), len(objects)), bool)
    for i in np.flatnonzero(overlaps.max(axis=1) >= thresholds.min()):
        own = np.where(free, overlaps[i], -1.0)
        best = len(objects) - 1 - np.argmax(own[:, ::-1], axis=1)
        hits[:, i] = own[np.arange(len(thresholds)), best] >= thresholds
        free[hits[:, i], best[hits[:, i]]] = False
    return hits


def box_agreement(boxes: Array, others: Array, overlap: float, score: float, slack: float) -> float:
    """Share of the boxes of two endpoints that the other one has, too; 1 where neither has a box.

    boxes, others: float [M, 6] of x1, y1, x2, y2, score, class, by falling score. Boxes from `score` count. The other
    endpoint has a box if one of the same class overlaps it by `overlap` and has a score of `score` - `slack` at least:
    scores on both sides of the threshold are no disagreement on the picture.
    """
    count = np.array([(one[:, 4] >= score).sum() for one in (boxes, others)])
    if not count.sum():
        return 1.0
    shared = 0
    for one, other in ((boxes, others), (others, boxes)):
        firm, near = one[one[:, 4] >= score], other[other[:, 4] >= score - slack]
        shared += int(matched(firm[:, :4], firm[:, 5], near[:, :4], near[:, 5], np.array([overlap])).sum())
    return float(shared / count.sum())
