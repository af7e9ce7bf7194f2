"""Flags: labels and answers that are 0 or 1 for each of several classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.label_arrays import stacked
from edgekit.tasks.task import class_text, joined

SHOWN = 5
"""Classes that a text names."""


def collect_flags(labels: Sequence[Any], ranks: Collection[int], classes: int, hint: str) -> Array:
    """Stack flags, int64 or float64 [N, …, classes] of 0 and 1, of one of these numbers of axes. Raises DataError.

    classes: number of the project's; 0 where it names none.
    """
    array = stacked(labels, hint)
    if array.ndim not in ranks or not np.isin(array, (0, 1)).all():
        raise DataError(f"labels are {array.dtype} {list(array.shape)}, not flags of 0 or 1", hint=hint)
    if classes not in (0, array.shape[-1]):
        raise DataError(f"labels have {array.shape[-1]} flags, the project has {classes} classes", hint=hint)
    return array


def jaccard(ours: Array, theirs: Array) -> Array:
    """Jaccard index float64 [N] of the flags bool [N, …] that each sample has in both: 1 where both have none."""
    axes = tuple(range(1, ours.ndim))
    both: Array = (ours & theirs).sum(axis=axes)
    either: Array = (ours | theirs).sum(axis=axes)
    return np.asarray(np.where(either, both / np.maximum(either, 1), 1.0))


def flag_names(flags: Array, classes: Sequence[str], none: str) -> str:
    """Names of the classes whose flag, of bool [classes], is set; `none` where no flag is."""
    return joined([class_text(int(k), classes) for k in np.flatnonzero(flags)], SHOWN, ", ") or none
