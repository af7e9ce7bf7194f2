"""Score bounds of answers right or wrong that come in groups, by the number of independent samples that they are worth.

The design effect (Kish 1965) is how many times the variance of the mean is that of independent samples. Score bounds of
so many times fewer samples, with Student's t in the place of the normal quantile (Korn & Graubard 1998), know that a
rare answer may be missing in few groups, which no interval about the mean does.
"""

from __future__ import annotations

from functools import lru_cache

from edgekit.parity.statistics.estimate import normal_share
from edgekit.parity.statistics.proportions import tango_bounds
from edgekit.parity.statistics.student import student_quantile

SUREST = 1 - 1e-12
"""Confidence beyond which the normal quantile has no digits left: with two groups, t is larger."""


def design_effect(lost: float, won: float, count: int, error: float, groups: int) -> float:
    """Number of samples that are worth one independent one, at least 1.

    lost, won: samples of `count` that are 1 and -1, where all others are 0. error: standard error of their mean, which
    knows the groups. Where all are alike nothing tells how alike those of one group are: then a group is worth one.
    """
    mean = (lost - won) / count
    alone = ((lost + won) / count - mean * mean) / count
    effect = error * error / alone if alone > 1e-12 / count else count / groups
    return min(max(effect, 1.0), max(1.0, count / 2))


@lru_cache(maxsize=8192)  # a gate, its meaning and the sentence of the report ask for the same bounds
def grouped_score_bounds(
    lost: float, won: float, count: int, error: float, groups: int, confidence: float
) -> tuple[float, float]:
    """Bounds of the mean, each one-sided at `confidence`, by the score method of Tango (1998).

    Arguments: as of `design_effect`. groups: two at least.
    """
    effect = design_effect(lost, won, count, error, groups)
    sure = min(normal_share(student_quantile(confidence, groups - 1)), SUREST)
    low, high = tango_bounds(lost / effect, won / effect, count / effect, sure)
    return float(low), float(high)
