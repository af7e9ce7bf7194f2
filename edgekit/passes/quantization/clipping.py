"""Clipping ranges computed from a histogram of values: percentile, least squared error (MSE), and torch's search.

Ranges are pairs of floats (low, high) that contain zero, as integer kernels demand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array

CANDIDATES = 128
"""Number of ends that `least_square` tries on either side of zero."""
BINS = 2048
"""Bins of the histogram on which `norm` searches: as many as torch's HistogramObserver has."""


@dataclass(frozen=True)
class ValueHistogram:
    """Histogram of values.

    counts: float64 [bins], even from -reach to reach; zeros: number of values that are exactly 0.
    """

    counts: Array
    reach: float
    zeros: float
    low: float
    """Smallest of the values, at most 0."""
    high: float
    """Largest of the values, at least 0."""

    @property
    def edges(self) -> Array:
        return np.linspace(-self.reach, self.reach, len(self.counts) + 1)


@dataclass(frozen=True)
class Levels:
    """Integers of a type: steps, their number less one; symmetric, true if zero must be in the middle of the range."""

    steps: int
    symmetric: bool


def percentile(histogram: ValueHistogram, share: float) -> tuple[float, float]:
    """Range that clips `100 - share` per cent of the values, half of them at either end."""
    total = np.concatenate([[0.0], np.cumsum(histogram.counts)])
    tail = total[-1] * (100 - share) / 200
    low, high = np.interp([tail, total[-1] - tail], total, histogram.edges)
    return max(min(float(low), 0.0), histogram.low), min(max(float(high), 0.0), histogram.high)


def least_square(histogram: ValueHistogram, levels: Levels) -> tuple[float, float]:
    """Range with the least mean squared error of rounding and saturation together (MSE), over a grid of both ends.

    Rounding costs step squared / 12 for every value inside the range but zeros, which are exact; the cost of saturation
    is summed over the histogram. Sung et al. 2015 and Banner et al. 2019 make this trade by a model of the
    distribution.
    """
    fractions = np.arange(1, CANDIDATES + 1) / CANDIDATES
    if levels.symmetric:
        ends = fractions * max(-histogram.low, histogram.high)
        cost = _below(histogram, ends) + _above(histogram, ends) + _rounding(histogram, 2 * ends / levels.steps)
        best = float(ends[int(np.argmin(cost))])
        return max(-best, histogram.low), min(best, histogram.high)
    lows = histogram.low * fractions if histogram.low < 0 else np.zeros(1)
    highs = histogram.high * fractions if histogram.high > 0 else np.zeros(1)
    step = (highs[None, :] + -lows[:, None]) / levels.steps
    cost = _below(histogram, -lows)[:, None] + _above(histogram, highs)[None, :] + _rounding(histogram, step)
    row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return float(lows[row]), float(highs[column])


def _rounding(histogram: ValueHistogram, step: Array) -> Array:
    inexact = float(histogram.counts.sum()) - histogram.zeros
    return np.asarray(inexact * step**2 / 12)


def _above(histogram: ValueHistogram, ends: Array) -> Array:
    """Sum of the squares by which values exceed each of `ends` (>= 0)."""
    return _excess(histogram.counts, histogram, ends)


def _below(histogram: ValueHistogram, ends: Array) -> Array:
    return _excess(histogram.counts[::-1], histogram, ends)


def _excess(counts: Array, histogram: ValueHistogram, ends: Array) -> Array:
    centers = (histogram.edges[1:] + histogram.edges[:-1]) / 2
    # From the top down: how many lie above, their sum and their sum of squares.
    moments = [np.cumsum((counts * centers**power)[::-1])[::-1] for power in range(3)]
    first = np.searchsorted(centers, ends)
    count, total, square = (np.concatenate([moment, [0.0]])[first] for moment in moments)
    return np.asarray(np.maximum(square - 2 * ends * total + ends**2 * count, 0))


def norm(histogram: ValueHistogram, steps: int) -> tuple[float, float]:
    """Range that torch's HistogramObserver finds: tails are cut quantile by quantile while the squared error falls.

    The search of Caffe2's `NormMinimization::NonlinearQuantizationParamsSearch`, each error worked out on all bins at
    once.
    """
    low, high = histogram.low, histogram.high
    grid = np.linspace(low, high, BINS + 1)
    total = np.concatenate([[0.0], np.cumsum(histogram.counts)])
    below = np.interp(grid, histogram.edges, total)
    below[0], below[-1] = 0.0, total[-1]
    density = np.diff(below)
    quantiles = np.arange(1, 100_001) * 1e-5
    from_left = np.searchsorted(below[1:], quantiles * total[-1])
    from_right = BINS - 2 - np.searchsorted((total[-1] - below[:-1])[::-1], quantiles * total[-1])
    start, end, left, right, least = 0, BINS - 1, 0, 0, np.inf
    while left + right < len(quantiles):
        nearer = min(max(start, int(from_left[left])), end)
        farther = max(min(end, int(from_right[right])), start)
        if nearer - start > end - farther:
            moved, left = (nearer, end), left + 1
        else:
            moved, right = (start, farther), right + 1
        if moved == (start, end):
            continue
        error = _norm(density, *moved, steps + 1)
        if error > least:
            break
        least, (start, end) = error, moved
    return float(grid[start]), float(grid[end + 1])


def _norm(density: Array, start: int, end: int, levels: int) -> float:
    """Squared error of `levels` steps from bin `start` to `end`, values even within their bins, in bin widths."""
    width = (end - start + 1) / levels
    begins = np.arange(BINS) - start
    first = np.clip(np.floor(begins / width), 0, levels - 1)
    last = np.clip(np.floor((begins + 1) / width), 0, levels - 1)
    half = width / 2
    cost = half**3 - (begins - (first + 0.5) * width) ** 3
    cost += (last - first - 1) * 2 * half**3
    cost += (begins + 1 - (last + 0.5) * width) ** 3 + half**3
    return float((density * cost).sum() / 3)
