"""Intervals and tests of proportions: one share, and the difference of two that are paired."""

from __future__ import annotations

import math

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.binomial import binomial_masses, binomial_tail
from edgekit.parity.statistics.estimate import Estimate, between, normal_quantile

Numbers = Array | float
"""Numbers of one measurement, or of many, in arrays that numpy broadcasts."""
_STEPS = 64
"""Halvings of an interval of length 2 until its ends are neighbouring numbers of double precision."""


def wilson(share: float, count: float, confidence: float = 0.95) -> Estimate:
    """Two-sided score interval of a share of `count` samples (Wilson 1927).

    Holds for the mean of any scores in [0, 1] too, where it is wider than need be: no such scores vary more than
    right and wrong do. count: may be an effective number, with a fraction.
    """
    z = normal_quantile((1 + confidence) / 2)
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return between(share, max(0.0, centre - half), min(1.0, centre + half))


def tango(reference_only: float, candidate_only: float, count: float, confidence: float) -> Estimate:
    """Difference of two paired proportions between two one-sided score bounds, each at `confidence` (Tango 1998).

    The difference is the share right in the reference minus the share right in the candidate, of `count` pairs of which
    `reference_only` and `candidate_only` are right in one alone: the accuracy drop. The bounds invert the score test,
    whose variance is that under the tested difference, so that few pairs without a flip are no certainty.
    """
    low, high = tango_bounds(reference_only, candidate_only, count, confidence)
    return between((reference_only - candidate_only) / count, float(low), float(high))


def tango_bounds(
    reference_only: Numbers, candidate_only: Numbers, count: Numbers, confidence: Numbers
) -> tuple[Array, Array]:
    """Lower and upper bound of `tango`, for counts of one shape, or of shapes that numpy broadcasts."""
    lost, won, total = (np.asarray(each, np.float64) for each in (reference_only, candidate_only, count))
    z = np.vectorize(normal_quantile, otypes=[float])(confidence)
    return -_upper_bound(won, lost, total, z), _upper_bound(lost, won, total, z)


def tango_statistic(reference_only: Numbers, candidate_only: Numbers, count: Numbers, difference: Numbers) -> Array:
    """Score statistic of the hypothesis that the difference is `difference`: Tango (1998), equations 24 to 26.

    Standard normal under the hypothesis for many pairs; falls as `difference` grows.
    """
    lost, won, total, tested = (
        np.asarray(each, np.float64) for each in (reference_only, candidate_only, count, difference)
    )
    if not (lost.ndim or won.ndim or total.ndim or tested.ndim):
        return np.asarray(_statistic(*map(float, (lost, won, total, tested))))
    linear = (2 * total - lost + won) * tested - lost - won
    constant = -won * tested * (1 - tested)
    root = np.sqrt(np.maximum(linear**2 - 8 * total * constant, 0.0))
    # Two forms of one root, each where it does not subtract neighbouring numbers.
    with np.errstate(divide="ignore", invalid="ignore"):
        rationalized = np.where(constant == 0, 0.0, -2 * constant / (root + linear))
    smaller = np.where(linear > 0, rationalized, (root - linear) / (4 * total))
    variance = total * (2 * smaller + tested * (1 - tested))
    distance = lost - won - total * tested
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(distance == 0, 0.0, distance / np.sqrt(np.maximum(variance, 0.0)))


def _statistic(lost: float, won: float, total: float, tested: float) -> float:
    """`tango_statistic` of one measurement: a bound takes dozens of them, and numpy takes 30 µs for each."""
    linear = (2 * total - lost + won) * tested - lost - won
    constant = -won * tested * (1 - tested)
    root = math.sqrt(max(linear * linear - 8 * total * constant, 0.0))
    if linear > 0:
        smaller = 0.0 if constant == 0 else -2 * constant / (root + linear)
    else:
        smaller = (root - linear) / (4 * total)
    variance = max(total * (2 * smaller + tested * (1 - tested)), 0.0)
    distance = lost - won - total * tested
    if distance == 0 or variance == 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def mcnemar_p(reference_only: int, candidate_only: int) -> float:
    """Two-sided p of the exact McNemar test: flips in both directions are equally likely (McNemar 1947).

    Takes the number of samples right only in the reference, and right only in the candidate. 1 where nothing flipped.
    """
    flips = reference_only + candidate_only
    fewer = min(reference_only, candidate_only)
    return min(1.0, 2.0 * float(binomial_tail(flips, 0.5)[fewer])) if flips else 1.0


def mcnemar_mid_p(reference_only: int, candidate_only: int) -> float:
    """Two-sided mid-p of the McNemar test: the exact p less the chance of the flips observed.

    Nearer to its level than the exact test, which errs less often than stated (Fagerland, Lydersen & Laake 2013).
    """
    flips, fewer = reference_only + candidate_only, min(reference_only, candidate_only)
    if reference_only == candidate_only:  # half of what was observed, as both tails hold it
        return 1.0 - float(binomial_masses(flips, 0.5)[fewer]) / 2 if flips else 1.0
    return mcnemar_p(reference_only, candidate_only) - float(binomial_masses(flips, 0.5)[fewer])


def _upper_bound(reference_only: Array, candidate_only: Array, count: Array, z: Array) -> Array:
    """Largest difference whose score statistic is not below -z, by bisection."""
    if not (reference_only.ndim or candidate_only.ndim or count.ndim or z.ndim):
        return np.asarray(_one_upper_bound(*map(float, (reference_only, candidate_only, count, z))))
    inside = (reference_only - candidate_only) / count + 0 * z
    outside = np.ones_like(inside)
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        within = tango_statistic(reference_only, candidate_only, count, middle) >= -z
        inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
    return np.asarray(outside)


def _one_upper_bound(reference_only: float, candidate_only: float, count: float, z: float) -> float:
    """`_upper_bound` of one measurement."""
    inside, outside = (reference_only - candidate_only) / count, 1.0
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if _statistic(reference_only, candidate_only, count, middle) >= -z:
            inside = middle
        else:
            outside = middle
    return outside
