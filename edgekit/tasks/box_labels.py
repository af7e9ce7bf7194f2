"""Labels of detection: boxes [M, 5] of class, x1, y1, x2, y2, checked against the size of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.boxes import BoxFormat, corners
from edgekit.tasks.label_arrays import PAD, padded

FORM = "a label is a list of boxes, each of class, x1, y1, x2, y2 in pixels of the model's input; [] for none"
SLACK = 0.01
"""Share of the width or height by which a box may lie outside the picture: annotations round."""


def box_labels(
    labels: Sequence[Any], classes: int, size: tuple[int, int], box_format: BoxFormat, normalised: bool
) -> Array:
    """Boxes float64 [N, M, 5] of class, x1, y1, x2, y2 in pixels, cut at the edges; rows of NaN fill up to the most.

    labels: of N samples [M, 5], class and box, in `box_format`; rows of class -1 or NaN are none. classes: number of
    the project's, 0 where unknown. size: height and width of the input. Raises DataError on the first box that is
    inverted, empty, outside, or of no class.
    """
    rows = padded(labels, 5, FORM).astype(np.float64)
    absent = np.isnan(rows).all(axis=2) | (rows[..., 0] == PAD)
    unknown = np.isnan(rows).any(axis=2) & ~absent
    if unknown.any():
        raise _refusal(rows, unknown, "holds NaN", FORM)
    rows[absent] = np.nan
    _check_classes(rows, absent, classes)
    height, width = size
    scale = (float(width), float(height)) if normalised else (1.0, 1.0)
    boxes = corners(rows[..., 1:], box_format, scale)
    with np.errstate(invalid="ignore"):
        flat = np.asarray((boxes[..., 2:] <= boxes[..., :2]).any(axis=2))
        edges = np.array([width, height] * 2, np.float64)
        outside = np.asarray(((boxes < -SLACK * edges) | (boxes > (1 + SLACK) * edges)).any(axis=2))
    if flat.any():
        other = "xywh" if box_format == "xyxy" else "xyxy"
        hint = f"it is read as {box_format}; [task] box_format = '{other}' may be what the data have"
        raise _refusal(rows, flat, f"is inverted or empty as {box_format}", hint)
    if outside.any():
        raise _refusal(rows, outside, f"is outside the picture of {height}x{width} pixels", _outside(normalised))
    if not normalised and (boxes[~absent] <= 1).all() and not absent.all() and min(size) > 1:
        raise _refusal(rows, ~absent, "is smaller than a pixel, as are all", "[task] normalised = true")
    return np.concatenate([rows[..., :1], np.clip(boxes, 0, edges)], axis=2)


def _check_classes(rows: Array, absent: Array, classes: int) -> None:
    labels = np.where(absent, 0, rows[..., 0])
    no_index = (labels != np.rint(labels)) | (labels < 0)
    if no_index.any():
        raise _refusal(rows, no_index, "has no class: its first number is no index", FORM)
    too_large = labels >= (classes or np.inf)
    if too_large.any():
        raise _refusal(rows, too_large, f"is of a class outside 0 to {classes - 1}", f"[model] classes names {classes}")


def _outside(normalised: bool) -> str:
    if normalised:
        return "normalised boxes are shares of width and height, 0 to 1"
    return "boxes are in pixels of the model's input, after resizing; [task] size is its [height, width]"


def _refusal(rows: Array, wrong: Array, trouble: str, hint: str) -> DataError:
    """Error that names the first wrong box, and counts the samples that have one."""
    sample, box = np.argwhere(wrong)[0]
    numbers = ", ".join(f"{value:g}" for value in rows[sample, box])
    count = int(wrong.any(axis=1).sum())
    return DataError(
        f"box [{numbers}] of sample {sample} {trouble} ({count} of {len(rows)} samples have such)", hint=hint
    )
