"""Cluster bootstraps: intervals of samples that come in groups, such as the frames of a video.

Samples of one group are alike, so that 120 frames of 8 videos say little more than 8 videos do. Whole groups are drawn
(Davison & Hinkley 1997, section 3.8), and the distance from the value is that of Student's t, as few groups vary more
than a normal quantile says (Cameron, Gelbach & Miller 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.bootstrap import (
    POOLED_DRAWS,
    SEED,
    pooled_resample_count,
    resample_count,
    scaled,
)
from edgekit.parity.statistics.design_effect import grouped_score_bounds
from edgekit.parity.statistics.estimate import Estimate, between, normal_quantile
from edgekit.parity.statistics.student import student_quantile

MANY = 1000
"""Groups from which the mean of a resample is as good as normally distributed."""
_CELLS = 2_000_000
"""Counts drawn at once, so that a bootstrap over many groups stays within 16 MB."""


def group_count(groups: Array) -> int:
    """Number of different groups in int64 [N]."""
    return len(np.unique(groups))


def cluster_bootstrap(values: Array, groups: Array, confidence: float) -> Estimate:
    """The mean of values, float [N] in [-1, 1], between two one-sided bounds, each at `confidence`.

    groups: int64 [N], the group of each sample. Two pseudo-groups, of the largest deviation from the mean that a group
    has, one in each direction, keep few groups that are all alike from looking certain; where none deviates, each
    sample of a pseudo-group does. Beyond `MANY` groups the bounds are those of the normal limit. Of values -1, 0 and 1
    the bounds are those of `design_effect`, where these are wider: few groups may hold none of what is rare. One group
    alone says nothing: then the bounds are -1 and 1.
    """
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    mean = float(values.mean())
    if len(sizes) < 2:
        return Estimate(mean, -1.0, 1.0)
    deviations = np.bincount(group, values - mean)
    largest = float(np.abs(deviations).max())
    largest = largest if largest > 1e-9 * float(sizes.mean()) else float(sizes.mean())
    error = math.sqrt(float(deviations @ deviations) + 2 * largest**2) / len(values)
    least, most = _score_bounds(values, mean, error, len(sizes), confidence)
    if len(sizes) > MANY:
        half = normal_quantile(confidence) * error * few_groups_factor(confidence, len(sizes))
        return between(mean, max(-1.0, min(least, mean - half)), min(1.0, max(most, mean + half)))
    drawn = _ratios(np.append(deviations, (largest, -largest)), np.append(sizes, [sizes.mean()] * 2), confidence)
    low, high = np.quantile(drawn, (1 - confidence, confidence)) * few_groups_factor(confidence, len(sizes))
    return between(mean, max(-1.0, min(least, mean + float(low))), min(1.0, max(most, mean + float(high))))


def _score_bounds(values: Array, mean: float, error: float, groups: int, confidence: float) -> tuple[float, float]:
    """Bounds of `design_effect` of values -1, 0 and 1; the mean itself for others, and at a confidence of one half."""
    if confidence <= 0.5 or not ((values == 0) | (np.abs(values) == 1)).all():
        return mean, mean
    error *= math.sqrt(groups / (groups - 1))
    if mean > 0.5 and not (values < 0).any():
        # Of a share near 1, such as an agreement, the rest is what is rare.
        low, high = grouped_score_bounds(float((values == 0).sum()), 0.0, len(values), error, groups, confidence)
        return 1 - high, 1 - low
    lost, won = float((values > 0).sum()), float((values < 0).sum())
    return grouped_score_bounds(lost, won, len(values), error, groups, confidence)


def pooled_cluster_bootstrap(statistic: Callable[[Array], float], groups: Array, confidence: float) -> Estimate:
    """A statistic of samples in groups, int64 [N], between two one-sided bounds, each at `confidence`.

    statistic: as `bootstrap.pooled_bootstrap` takes it. Of one group alone the bounds are 1 away: it says nothing.
    """
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    value, count = statistic(np.arange(len(groups))), len(members)
    if count < 2:
        return Estimate(value, value - 1.0, value + 1.0)
    drawn = max(2, min(count, round(count * POOLED_DRAWS / len(groups))))
    rng = np.random.default_rng(SEED)
    values = [
        statistic(np.concatenate([members[i] for i in rng.integers(0, count, drawn)]))
        for _ in range(pooled_resample_count(confidence))
    ]
    return scaled(value, np.array(values), confidence, math.sqrt(drawn / count) * few_groups_factor(confidence, count))


def _ratios(sums: Array, sizes: Array, confidence: float) -> Array:
    """Mean over the samples of each resample of the groups."""
    rng, resamples, count = np.random.default_rng(SEED), resample_count(confidence), len(sums)
    batch, even = max(1, _CELLS // count), np.full(count, 1 / count)
    means = []
    for start in range(0, resamples, batch):
        draws = rng.multinomial(count, even, size=min(batch, resamples - start))
        means.append((draws @ sums) / (draws @ sizes))
    return np.concatenate(means)


def few_groups_factor(confidence: float, count: int) -> float:
    """Factor between the deviation of a bootstrap over `count` groups and that of their unknown mean."""
    if confidence <= 0.5:
        return 1.0
    return student_quantile(confidence, count - 1) / normal_quantile(confidence) * math.sqrt(count / (count - 1))
