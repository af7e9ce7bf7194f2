"""Average precision of answers that do not depend on the picture: one box of each class, the same for all."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.tasks.boxes import iou

TRIED = 500
"""Boxes of a class that are tried as its constant box, spread over all of them."""


def constant_precision(labels: Array, overlap: float) -> float | None:
    """Mean average precision of the constant box of each class that matches an object in the most samples.

    labels: float [N, M, 5] of class, x1, y1, x2, y2; NaN where a sample has fewer. All answers have one score, so the
    precision is the share of samples with a match at every recall up to that share of the objects, and 0 beyond. None
    where there is no object.
    """
    owners, places = np.nonzero(~np.isnan(labels[..., 0]))
    rows = labels[owners, places]
    precisions = []
    for label in np.unique(rows[:, 0]):
        own = rows[:, 0] == label
        boxes, samples = rows[own, 1:], owners[own]
        tried = boxes[np.linspace(0, len(boxes) - 1, min(len(boxes), TRIED)).astype(int)]
        hits = max(len(np.unique(samples[row >= overlap])) for row in iou(tried, boxes))
        precisions.append(hits / len(labels) * hits / len(boxes))
    return float(np.mean(precisions)) if precisions else None
