"""Distances that a quiet week has by chance: block bootstrap of the reference at the size of a window.

A week has W windows, and S quantities of each are looked at. An alarm needs k windows beyond their bounds, so that the
chance of one is at most W * S * p / k where a bound is passed by chance with probability p, however the windows depend
on each other (Markov's inequality): p = k * alpha / (W * S). The windows do depend on each other: all are compared
with the same evaluation samples, whose own chance the bootstrap draws anew each time.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.runner.counts.window_writer import WINDOW_S

WEEK_S = 7 * 24 * 3600
WINDOWS_A_WEEK = int(WEEK_S / WINDOW_S)
DRAWS = 2000
SHARE = 0.02
"""Share of the draws beyond the quantile that is read; what is rarer follows from the tail exp(-2 n d²) (Massart)."""
EVEN = 0.25


def window_level(false_alarms: float, needed: int, quantities: int) -> float:
    """Probability p with which one quantity of one window may pass its bound by chance."""
    return needed * false_alarms / (WINDOWS_A_WEEK * quantities)


def distance_bound(reference: Array, rows: float, level: float, is_ordered: bool) -> float:
    """Distance that counts of `rows` independent rows pass by chance with probability `level`.

    reference: int64 [bins]. is_ordered: Kolmogorov-Smirnov's distance, else the total variation.
    """
    total = int(reference.sum())
    if rows < 1 or total < 1:
        return 1.0
    # Fewer rows than there are: the bound is then too wide, and is known for many windows at once.
    size = int(2 ** (math.floor(2 * math.log2(rows)) / 2))
    shares = reference / total
    even = is_ordered and bool((np.abs(shares * len(shares) - 1) < EVEN).all())
    key = (1.0 / len(shares),) * len(shares) if even else tuple(map(float, shares))
    quantile = _quantile(key, total, size, is_ordered)
    return min(1.0, quantile * math.sqrt(math.log(2 / level) / math.log(2 / SHARE)))


@lru_cache(maxsize=4096)
def _quantile(shares: tuple[float, ...], total: int, size: int, is_ordered: bool) -> float:
    """Distance that SHARE of the draws pass: of the reference, and of a window of what was drawn."""
    rng = np.random.default_rng(0)
    then = np.asarray(shares)
    drawn = rng.multinomial(total, then / then.sum(), DRAWS) / total
    now = rng.multinomial(max(1, size), drawn) / max(1, size)
    apart = now - then
    distances = np.abs(np.cumsum(apart, axis=1)).max(axis=1) if is_ordered else np.abs(apart).sum(axis=1) / 2
    return float(np.quantile(distances, 1 - SHARE))
