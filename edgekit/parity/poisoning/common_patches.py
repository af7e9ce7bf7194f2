"""Squares that samples of one class share to the last bit, at one place: candidates for a trigger, without a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array

SIDES = (2, 3, 5)
"""Sides of the squares, in pixels."""
PLACES = 1024
"""Most places that each size is looked for at; of larger pictures every few pixels."""
LEAST = 3
"""Least number of samples that share a square."""
MOST = 0.5
"""Largest share of all samples that do: what more have is background."""
ONE_CLASS = 0.8
"""Least share of the samples with the square that have one label."""
KEPT = 16
"""Candidates that are kept: those of most samples times the difference from the usual content of the place."""


@dataclass(frozen=True)
class CommonPatch:
    """A square that samples of one class share."""

    target: int
    row: int
    column: int
    side: int
    content: Array
    """Pixels [side, side, channels]."""
    samples: tuple[int, ...]
    score: float
    """Number of these samples, times the summed difference from the usual content, over the range of the input."""


def common_patches(pictures: Array, labels: Array) -> tuple[CommonPatch, ...]:
    """Candidates in pictures [N, height, width, channels] with labels int [N], the most telling first.

    Of squares that overlap and lead to one class, the first is kept: the smallest of those that hold a trigger whole.
    """
    width = float(pictures.max()) - float(pictures.min())
    if width == 0 or len(pictures) < LEAST:
        return ()
    ranked = sorted(_candidates(pictures, labels, width), key=lambda one: (-one.score, one.side, one.row, one.column))
    kept: list[CommonPatch] = []
    for one in ranked:
        if len(kept) < KEPT and not any(_overlap(one, other) for other in kept):
            kept.append(one)
    return tuple(kept)


def _candidates(pictures: Array, labels: Array, width: float) -> Iterator[CommonPatch]:
    count, height, breadth = pictures.shape[:3]
    median = np.median(pictures, axis=0)
    for side in (side for side in SIDES if side <= min(height, breadth)):
        rows, columns = height - side + 1, breadth - side + 1
        stride = max(1, int(np.ceil(np.sqrt(rows * columns / PLACES))))
        for row in range(0, rows, stride):
            for column in range(0, columns, stride):
                squares = np.ascontiguousarray(pictures[:, row : row + side, column : column + side])
                usual = median[row : row + side, column : column + side]
                for samples in _sharing(squares, count):
                    target = _class_of(labels[samples])
                    content = squares[samples[0]]
                    differs = float(np.abs(content.astype(np.float64) - usual).sum()) / width
                    if target is not None and differs > 0:
                        carriers = tuple(samples.tolist())
                        yield CommonPatch(target, row, column, side, content, carriers, len(samples) * differs)


def _sharing(squares: Array, count: int) -> Iterator[Array]:
    """Indices of the samples of each content that enough and not too many of them share."""
    rows = squares.reshape(count, -1)
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    for content in np.flatnonzero((counts >= LEAST) & (counts <= MOST * count)):
        yield np.flatnonzero(inverse == content)


def _class_of(labels: Array) -> int | None:
    """Class of nearly all of the labels; None if they have several."""
    classes, counts = np.unique(labels, return_counts=True)
    return int(classes[counts.argmax()]) if counts.max() >= ONE_CLASS * len(labels) else None


def _overlap(one: CommonPatch, other: CommonPatch) -> bool:
    apart = (
        one.row + one.side <= other.row
        or other.row + other.side <= one.row
        or one.column + one.side <= other.column
        or other.column + other.side <= one.column
    )
    return one.target == other.target and not apart
