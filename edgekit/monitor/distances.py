"""Distances of a histogram from a reference's, both int64 counts [bins] in the same bins."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array

EMPTY = 0.5
"""Count that stands for none in PSI, whose logarithm knows no zero."""


def kolmogorov_smirnov(reference: Array, counts: Array) -> float:
    """Largest difference of the cumulative shares at the bins' edges, in [0, 1]: at most that of the values."""
    return float(np.abs(np.cumsum(_shares(counts)) - np.cumsum(_shares(reference))).max())


def total_variation(reference: Array, counts: Array) -> float:
    """Half the sum of the differences of the shares, in [0, 1]: what must move to make one of the other."""
    return float(np.abs(_shares(counts) - _shares(reference)).sum() / 2)


def population_stability(reference: Array, counts: Array) -> float:
    """Population stability index: sum of (now - then) * ln(now / then); 0.25 is called a large shift."""
    then = np.maximum(reference, EMPTY) / np.maximum(reference, EMPTY).sum()
    now = np.maximum(counts, EMPTY) / np.maximum(counts, EMPTY).sum()
    return float(((now - then) * np.log(now / then)).sum())


def jensen_shannon(reference: Array, counts: Array) -> float:
    """Jensen-Shannon divergence in bits, in [0, 1]."""
    then, now = _shares(reference), _shares(counts)
    middle = (then + now) / 2
    return float(max(0.0, (_divergence(then, middle) + _divergence(now, middle)) / 2))


def _divergence(shares: Array, middle: Array) -> float:
    some = shares > 0
    return float((shares[some] * np.log2(shares[some] / middle[some])).sum())


def _shares(counts: Array) -> Array:
    return np.asarray(counts / max(1, counts.sum()))
