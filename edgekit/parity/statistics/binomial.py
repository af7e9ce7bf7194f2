"""Lower tail of the binomial distribution."""

from __future__ import annotations

import math

import numpy as np

from edgekit.ir.measurement import Array


def binomial_tail(count: int, chance: float) -> Array:
    """float64 [K]: P(X <= k) for k = 0, 1 … up to past the mean, X of `count` draws that each succeed by `chance`."""
    return np.cumsum(binomial_masses(count, chance))


def binomial_masses(count: int, chance: float) -> Array:
    """float64 [K]: P(X = k) for k = 0, 1 … up to past the mean, X of `count` draws that each succeed by `chance`."""
    k = np.arange(min(count, math.ceil(count * chance) + 1))
    steps = np.log((count - k) / (k + 1) * (chance / (1 - chance)))
    logs = count * math.log1p(-chance) + np.concatenate(([0.0], np.cumsum(steps)))
    return np.exp(logs)
