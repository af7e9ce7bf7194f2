"""Order of outputs that are indices: compared by the values that they point to, as ties may come in any order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.ir.sqnr import sqnr_db

NEAR = 1 / 255
"""Difference of two values that are a tie, as a share of the range of a sample's values: one step of eight bits."""


@dataclass(frozen=True)
class IndexOrder:
    """Values that an output's indices point into.

    values: float [N, …]. axis: that of the indices among the axes of `values`, never the first. reduced: True if the
    indices lack that axis, as those of argmax. distinct: True if an index cannot occur twice, as in a sort.
    """

    values: Array
    axis: int
    reduced: bool
    distinct: bool

    def values_at(self, indices: Array) -> Array | None:
        """Values at indices, of their shape; None if the indices are not such as point into the values."""
        places = np.expand_dims(indices, self.axis) if self.reduced else indices
        if places.ndim != self.values.ndim or places.dtype.kind not in "iu":
            return None
        others = [size for axis, size in enumerate(places.shape) if axis != self.axis]
        if others != [size for axis, size in enumerate(self.values.shape) if axis != self.axis]:
            return None
        places = places.astype(np.int64)
        if places.size and not 0 <= places.min() <= places.max() < self.values.shape[self.axis]:
            return None
        if self.distinct and not np.diff(np.sort(places, axis=self.axis), axis=self.axis).all():
            return None
        chosen = np.take_along_axis(self.values, places, self.axis)
        return np.squeeze(chosen, self.axis) if self.reduced else chosen

    def sqnr_db(self, expected: Array, candidate: Array) -> float:
        """SQNR of the values that two arrays of indices point to, in dB; minus infinity for indices that are none."""
        truth, values = self.values_at(expected), self.values_at(candidate)
        return -math.inf if truth is None or values is None else sqnr_db(truth, values)

    def with_ties(self, expected: Array, candidate: Array) -> Array:
        """Candidate's indices, with the expected index wherever both point to values that are a tie (`NEAR`)."""
        truth, values = self.values_at(expected), self.values_at(candidate)
        if truth is None or values is None:
            return candidate
        flat = self.values.reshape(len(self.values), -1)
        span = (flat.max(axis=1) - flat.min(axis=1)).reshape(-1, *[1] * (truth.ndim - 1))
        return np.where(np.abs(truth - values) <= NEAR * span, expected, candidate).astype(candidate.dtype)
