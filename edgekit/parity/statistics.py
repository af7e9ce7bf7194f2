"""Statistics of a verdict, in numpy alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

from edgekit.ir.measurement import Array

RESAMPLES = 2000
POOLED_RESAMPLES = 400
"""Resamples of a metric that must be computed anew for each, such as an average precision."""
SEED = 20250105
LATENCY_CONFIDENCE = 0.99
"""Confidence of LoadGen: an estimate of a percentile is too low at most once in a hundred probes."""

_CELLS = 2_000_000
"""Counts drawn at once, so that a metric with as many values as samples stays within 16 MB."""


@dataclass(frozen=True)
class Estimate:
    """Estimate of a value: the value, and its interval at the confidence of the caller."""

    value: float
    low: float
    high: float


def mcnemar_p(reference_only: int, candidate_only: int) -> float:
    """Two-sided p of the exact McNemar test: flips in both directions are equally likely (McNemar 1947).

    Takes the number of samples right only in the reference, and right only in the candidate. 1 where nothing flipped.
    """
    flips = reference_only + candidate_only
    fewer = min(reference_only, candidate_only)
    return min(1.0, 2.0 * float(_binomial_tail(flips, 0.5)[fewer])) if flips else 1.0


def wilson(share: float, count: int, confidence: float = 0.95) -> Estimate:
    """Two-sided score interval of a share of `count` samples (Wilson 1927).

    Holds for the mean of any scores in [0, 1] too, where it is wider than need be: no such scores vary more than
    right and wrong do.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Estimate(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def paired_bootstrap(differences: Array, confidence: float, resamples: int | None = None) -> Estimate:
    """The mean of paired differences, float [N] in [-1, 1], between two one-sided bounds, each at `confidence`.

    Percentile bootstrap (Efron 1979) over pairs, with a fixed seed. As in Agresti & Min (2005), pseudo-observations
    keep few samples without a flip from looking certain. They add half a count to each cell of the two-by-two table;
    we add one whole flip in each direction, because percentiles of a bootstrap need it: over 18 cases with N from 100
    to 1,000 a bound at 95 % then covers the true drop at least 93 % of the time, with half counts as rarely as 84 %.
    """
    # Graded scores differ by less than a whole flip: there, one of the largest seen stands for it.
    graded = bool((differences % 1 != 0).any())
    flip = float(np.abs(differences).max()) if graded else 1.0
    values, counts = np.unique(np.append(differences, (-flip, flip)), return_counts=True)
    # A hundred resamples beyond each bound hold it steady: 2,000 at 95 %.
    means = _resampled_means(values, counts, resamples or max(RESAMPLES, math.ceil(100 / (1 - confidence))))
    low, high = np.quantile(means, (1 - confidence, confidence))
    mean = float(differences.mean())
    return Estimate(mean, min(mean, float(low)), max(mean, float(high)))


def pooled_bootstrap(statistic: Callable[[Array], float], count: int, confidence: float) -> Estimate:
    """A statistic of `count` samples between two one-sided bounds, each at `confidence`.

    statistic: value of the samples at some indices, int64 [count], which repeat. Percentile bootstrap over samples with
    a fixed seed (Efron 1979), for metrics that are no mean over samples.
    """
    rng = np.random.default_rng(SEED)
    resamples = max(POOLED_RESAMPLES, math.ceil(20 / (1 - confidence)))
    values = [statistic(rng.integers(0, count, count)) for _ in range(resamples)]
    low, high = np.quantile(values, (1 - confidence, confidence))
    whole = statistic(np.arange(count))
    return Estimate(whole, min(whole, float(low)), max(whole, float(high)))


def percentile_ns(latency_ns: Array, percent: float) -> int | None:
    """A percentile of int64 [M] latencies, or None if M cannot support it.

    The 50th is the median. Above it, it is the estimate that LoadGen's early stopping gives (MLPerf Inference rules,
    appendix "Early stopping"; loadgen/early_stopping.cc): a latency that the true percentile is below with 99 %
    confidence. That takes at least 64 latencies for the 90th, 130 for the 95th, 662 for the 99th, and 6,636 for the
    99.9th. `scripts/bench loadgen` compares it with LoadGen's own.
    """
    count = len(latency_ns)
    if count == 0:
        return None
    if percent <= 50:
        return round(float(np.percentile(latency_ns, percent)))
    slower = _allowed_slower(count, percent)
    return int(np.sort(latency_ns)[count - slower]) if slower else None


@cache
def needed_count(percent: float) -> int:
    """The smallest number of latencies that supports the percentile: 64 for the 90th, 6,636 for the 99.9th."""
    if percent <= 50:
        return 1
    count = 2
    while not _allowed_slower(count, percent):
        count += 1
    return count


def _allowed_slower(count: int, percent: float) -> int:
    """Number of `count` latencies that may be slower than an estimate of the percentile; 0 if there are too few."""
    tail = _binomial_tail(count, 1 - percent / 100)
    return max(0, int(np.searchsorted(tail, 1 - LATENCY_CONFIDENCE, side="right")) - 1)


def _binomial_tail(count: int, chance: float) -> Array:
    """float64 [K]: P(X <= k) for k = 0, 1 … up to past the mean, X of `count` draws that each succeed by `chance`."""
    k = np.arange(min(count, math.ceil(count * chance) + 1))
    steps = np.log((count - k) / (k + 1) * (chance / (1 - chance)))
    logs = count * math.log1p(-chance) + np.concatenate(([0.0], np.cumsum(steps)))
    return np.cumsum(np.exp(logs))


def _resampled_means(values: Array, counts: Array, resamples: int) -> Array:
    # Samples with equal differences are exchangeable, so a resample is one multinomial draw over the distinct ones.
    total, rng = int(counts.sum()), np.random.default_rng(SEED)
    batch = max(1, _CELLS // len(values))
    sizes = [min(batch, resamples - start) for start in range(0, resamples, batch)]
    draws = [rng.multinomial(total, counts / total, size=size) @ values for size in sizes]
    return np.concatenate(draws) / total
