"""Percentile bootstraps of independent samples (Efron 1979), with a fixed seed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.estimate import Estimate, between, normal_quantile

RESAMPLES = 2000
POOLED_RESAMPLES = 400
"""Resamples of a metric that must be computed anew for each, such as an average precision."""
POOLED_DRAWS = 20_000
"""Most samples of a resample of such a metric: of a larger set, fewer are drawn and the interval is made narrower."""
DISTINCT = 20_000
"""Distinct differences from which the mean of a resample is as good as normally distributed."""
SEED = 20250105

_CELLS = 2_000_000
"""Counts drawn at once, so that a metric with as many values as samples stays within 16 MB."""


def paired_bootstrap(differences: Array, confidence: float, resamples: int | None = None) -> Estimate:
    """The mean of paired differences, float [N] in [-1, 1], between two one-sided bounds, each at `confidence`.

    For graded scores; of right and wrong, `proportions.tango` errs as rarely as it says, and this does not. As in
    Agresti & Min (2005), pseudo-observations keep few samples without a difference from looking certain: one of the
    largest difference seen, in each direction, as percentiles of a bootstrap need whole ones. Beyond `DISTINCT`
    different values, the bounds are those of the normal distribution that such means have.
    """
    # Graded scores differ by less than a whole flip: there, one of the largest seen stands for it.
    graded = bool((differences % 1 != 0).any())
    flip = float(np.abs(differences).max()) if graded else 1.0
    values, counts = np.unique(np.append(differences, (-flip, flip)), return_counts=True)
    mean = float(differences.mean())
    if len(values) > DISTINCT:
        total = counts.sum()
        centre = float(values @ counts / total)
        half = normal_quantile(confidence) * math.sqrt(float((values - centre) ** 2 @ counts)) / total
        return between(mean, centre - half, centre + half)
    # A hundred resamples beyond each bound hold it steady: 2,000 at 95 %.
    means = _resampled_means(values, counts, resamples or resample_count(confidence))
    low, high = np.quantile(means, (1 - confidence, confidence))
    return between(mean, float(low), float(high))


def pooled_bootstrap(statistic: Callable[[Array], float], count: int, confidence: float) -> Estimate:
    """A statistic of `count` samples between two one-sided bounds, each at `confidence`.

    statistic: value of the samples at some indices, int64 [n], which repeat: for metrics that are no mean over samples.
    Of more than `POOLED_DRAWS` samples so many are drawn, and the distance from the value is scaled by the root of the
    share drawn: m out of n (Bickel, Götze & van Zwet 1997).
    """
    rng, drawn = np.random.default_rng(SEED), min(count, POOLED_DRAWS)
    values = [statistic(rng.integers(0, count, drawn)) for _ in range(pooled_resample_count(confidence))]
    return scaled(statistic(np.arange(count)), np.array(values), confidence, math.sqrt(drawn / count))


def scaled(value: float, resampled: Array, confidence: float, scale: float) -> Estimate:
    """Percentile interval of resampled values whose distance from `value` is `1 / scale` times too large."""
    low, high = np.quantile(resampled, (1 - confidence, confidence))
    return between(value, value + (float(low) - value) * scale, value + (float(high) - value) * scale)


def resample_count(confidence: float) -> int:
    """Resamples of a mean of which a hundred at least lie beyond a bound at `confidence`."""
    return max(RESAMPLES, math.ceil(100 / (1 - confidence)))


def pooled_resample_count(confidence: float) -> int:
    """Resamples of a pooled metric of which twenty at least lie beyond a bound at `confidence`."""
    return max(POOLED_RESAMPLES, math.ceil(20 / (1 - confidence)))


def _resampled_means(values: Array, counts: Array, resamples: int) -> Array:
    # Samples with equal differences are exchangeable, so a resample is one multinomial draw over the distinct ones.
    total, rng = int(counts.sum()), np.random.default_rng(SEED)
    batch = max(1, _CELLS // len(values))
    sizes = [min(batch, resamples - start) for start in range(0, resamples, batch)]
    draws = [rng.multinomial(total, counts / total, size=size) @ values for size in sizes]
    return np.concatenate(draws) / total
