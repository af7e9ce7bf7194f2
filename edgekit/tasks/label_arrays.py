"""Arrays of labels: the labels of all samples, as a data set gives them one by one, in one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array

NUMBERS = "labels are whole numbers: indices into [model] classes"
PAD = -1
"""Value that fills an integer array of labels up to the longest; NaN does in one of reals."""


def unlabelled(count: int) -> Array:
    """Labels of `count` samples that have none: int64 [N, 0]."""
    return np.empty((count, 0), np.int64)


def is_labelled(labels: Array) -> bool:
    """True if there are labels, as opposed to `unlabelled`."""
    return labels.shape[1:] != (0,)


def stacked(labels: Sequence[Any], hint: str = NUMBERS) -> Array:
    """Stack labels of one shape: int64 [N, …] of whole numbers, float64 [N, …] of others. Raises DataError."""
    try:
        array = np.asarray([np.asarray(label) for label in labels])
    except ValueError as error:
        raise DataError("labels have different shapes", hint=hint) from error
    return _numbers(array, hint)


def padded(labels: Sequence[Any], width: int | None, hint: str) -> Array:
    """Stack labels [M, width], or [M] for a width of None, of which each sample has another number M.

    The result is [N, max M, width]; rows that a sample does not have are PAD, or NaN in an array of reals. It has at
    least one row, so that samples with empty labels are not taken for samples without any. Raises DataError.
    """
    rows = [_numbers(np.asarray(label, np.float64 if np.size(label) == 0 else None), hint) for label in labels]
    tail = () if width is None else (width,)
    for i, row in enumerate(rows):
        if row.size and (row.ndim != 1 + len(tail) or row.shape[1:] != tail):
            form = "[M]" if width is None else f"[M, {width}]"
            raise DataError(f"the label of sample {i} has shape {list(row.shape)}, {form} is needed", hint=hint)
    whole = all(row.dtype.kind == "i" for row in rows if row.size)
    longest = max([1, *(len(row) for row in rows if row.size)])
    array = np.full((len(rows), longest, *tail), PAD if whole else np.nan, np.int64 if whole else np.float64)
    for filled, row in zip(array, rows, strict=True):
        if row.size:
            filled[: len(row)] = row
    return array


def check_range(labels: Array, count: int, hint: str, pads: bool = False) -> None:
    """Raise DataError, with the first wrong one, if a label of int [N, …] is outside 0 to `count` - 1.

    pads: PAD is no label, and passes.
    """
    wrong = np.argwhere(((labels < 0) | (labels >= count)) & ~(pads & (labels == PAD)))
    if len(wrong):
        bad = tuple(wrong[0])
        raise DataError(
            f"label {labels[bad]} of sample {bad[0]} is outside 0 to {count - 1} "
            f"({len(set(wrong[:, 0].tolist()))} of {len(labels)} are)",
            hint=hint,
        )


def check_integers(labels: Array, count: int, need: str, hint: str) -> None:
    """Raise DataError, which says what is needed, unless labels are one integer for each of `count` samples."""
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise DataError(f"labels are {labels.dtype} {list(labels.shape)}, {need}", hint=hint)


def _numbers(array: Array, hint: str) -> Array:
    if array.dtype.kind not in "iufb":
        raise DataError(f"labels are {array.dtype}, not numbers", hint=hint)
    return array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)
