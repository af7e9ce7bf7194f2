"""Student's t distribution: its quantile and its share, for intervals and tests over few groups."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from edgekit.parity.statistics.estimate import normal_quantile, normal_share

MANY = 500
"""Degrees of freedom from which two terms of the expansion about the normal quantile are right to nine digits."""
_HALVINGS = 80


@cache
def student_quantile(confidence: float, freedom: int) -> float:
    """Quantile of the t distribution with `freedom` degrees: 1.895 for 0.95 and 7. confidence: in [0.5, 1)."""
    if freedom >= MANY:
        z = normal_quantile(confidence)
        first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
        third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
        return z + first / freedom + second / freedom**2 + third / freedom**3
    # The angle whose tangent is t / sqrt(freedom): the distribution of t is a finite sum of its powers.
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle, freedom) < confidence else (low, middle)
    return math.tan(low) * math.sqrt(freedom)


def student_share(quantile: float, freedom: int) -> float:
    """Share of the t distribution with `freedom` degrees below a quantile above 0: 0.95 for 1.895 and 7.

    Beyond `MANY` degrees that of the normal distribution, with the first term of the expansion.
    """
    if freedom >= MANY:
        return normal_share(quantile - (quantile**3 + quantile) / (4 * freedom))
    return _below(math.atan(quantile / math.sqrt(freedom)), freedom)


def _below(angle: float, freedom: int) -> float:
    """P(T <= tan(angle) * sqrt(freedom)), for whole degrees of freedom (Abramowitz & Stegun 26.7.3, 26.7.4)."""
    odd = freedom % 2
    powers = np.arange(odd, freedom - 2, 2)
    factors = np.cumprod((powers + 1) / (powers + 2)) if len(powers) else np.empty(0)
    if odd:
        series = 1 + float((factors * math.cos(angle) ** (powers + 1)).sum())
        terms = math.cos(angle) * series if freedom > 1 else 0.0
        return 0.5 + (angle + math.sin(angle) * terms) / math.pi
    return 0.5 + math.sin(angle) * (1 + float((factors * math.cos(angle) ** (powers + 2)).sum())) / 2
