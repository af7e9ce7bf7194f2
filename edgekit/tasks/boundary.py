"""Boundary F of a mask (Csurka et al. 2013): precision and recall of boundary pixels within a distance."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array


def boundary_f(answer: Array, truth: Array, radius: int, valid: Array) -> float:
    """Harmonic mean of two shares of boundary pixels: the answer's near the truth's, and the truth's near the answer's.

    answer, truth: bool [H, W]. radius: largest distance in pixels, the larger one of rows and columns. valid: bool
    [H, W], pixels whose boundary counts. 1 where neither has a boundary, 0 where one has none.
    """
    ours, theirs = boundary(answer) & valid, boundary(truth) & valid
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    precision = float(dilated(theirs, radius)[ours].mean())
    recall = float(dilated(ours, radius)[theirs].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask: Array) -> Array:
    """Pixels of a mask, bool [H, W], that have one outside it above, below or beside; the picture's edge is none."""
    padded = np.pad(mask, 1, mode="edge")
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inside)


def dilated(mask: Array, radius: int) -> Array:
    """Pixels, bool [H, W], with a pixel of the mask in the square of 2 · radius + 1 pixels around them."""
    for axis in (0, 1):
        width = [(radius + 1, radius) if one == axis else (0, 0) for one in (0, 1)]
        sums = np.cumsum(np.pad(mask, width), axis=axis, dtype=np.int32)
        length = mask.shape[axis]
        ends = np.take(sums, np.arange(2 * radius + 1, length + 2 * radius + 1), axis=axis)
        mask = ends - np.take(sums, np.arange(length), axis=axis) > 0
    return mask
