"""Errors of losses of slices whose samples come in clusters, such as the frames of a video (`[data] group`).

A cluster counts once, however many samples it has: sums of deviations over whole clusters vary (Liang & Zeger 1986),
and the distance from the value is that of Student's t with as many degrees as clusters, less one. Losses are rare, and
few clusters may hold none of them: of answers right or wrong the bounds are score bounds, too, where these are wider
(`statistics/design_effect`).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.design_effect import grouped_score_bounds
from edgekit.parity.statistics.student import student_quantile, student_share

LEAST = 2
"""Fewest clusters of which anything can be concluded."""


def mean_error(values: Array, clusters: Array) -> float:
    """Standard error of the mean of values, float64 [n], in clusters, int64 [n]."""
    return _error((values - values.mean()) / len(values), clusters)


def difference_error(values: Array, inside: Array, clusters: Array) -> float:
    """Standard error of the mean of the values inside, bool [n], less that of the others.

    Clusters that are partly inside take part with both parts.
    """
    deviations = np.empty(len(values))
    for members, sign in ((inside, 1), (~inside, -1)):
        deviations[members] = sign * (values[members] - values[members].mean()) / members.sum()
    return _error(deviations, clusters)


def covariance(errors: Array, clusters: Array) -> Array:
    """Covariance [2, 2] of the means of two error rates, float64 [n, 2], of samples in clusters.

    With one pseudo-cluster more for each of the two, as in `mean_error`.
    """
    sums, count = _sums(errors - errors.mean(axis=0), clusters)
    most = _largest(sums[:, 1] - sums[:, 0], len(errors) / count)
    spread = sums.T @ sums + most * most * np.eye(2)
    return np.asarray(spread / len(errors) ** 2 * count / (count - 1))


def loss_p(loss: float, error: float, clusters: int) -> float:
    """One-sided p of a mean loss, by Student's t: if it were not above 0."""
    return 1 - student_share(loss / error, clusters - 1) if loss > 0 and error > 0 else 1.0


def loss_bounds(
    drop: float, flips: tuple[int, int], samples: int, error: float, clusters: int, confidence: float
) -> tuple[float, float]:
    """Bounds of the mean loss of samples in clusters, each one-sided at `confidence`.

    flips: samples that the reference, and that the candidate alone has right. error: as `mean_error` gives it.
    """
    half = student_quantile(confidence, clusters - 1) * error
    if abs(drop * samples - (flips[0] - flips[1])) > 1e-6 * samples:  # graded scores
        return drop - half, drop + half
    low, high = grouped_score_bounds(*flips, samples, error, clusters, confidence)
    return min(low, drop - half), max(high, drop + half)


def fewest_clusters(limit: float, confidence: float) -> int:
    """Fewest clusters whose upper bound is within `limit` if not one of their samples flips."""
    z = NormalDist().inv_cdf(confidence)
    count = max(LEAST, math.floor(min(math.sqrt(2) * z / limit, z * z * (1 - limit) / limit)))  # too few
    while max(_unflipped(count, confidence)) > limit:
        count += 1
    return count


def _unflipped(count: int, confidence: float) -> tuple[float, float]:
    """Upper bounds of clusters of which no sample flips: by Student's t, and by the score."""
    quantile = student_quantile(confidence, count - 1)
    return quantile * math.sqrt(2 / (count * (count - 1))), quantile**2 / (count + quantile**2)


def _error(deviations: Array, clusters: Array) -> float:
    """Standard error of a sum of deviations, float64 [n], of samples in clusters.

    Two pseudo-clusters, of the largest deviation seen, one in each direction, keep clusters of which none deviates from
    looking certain; there, each sample of them flips.
    """
    sums, count = _sums(deviations[:, None], clusters)
    most = _largest(sums[:, 0], 1 / count)
    return math.sqrt((float((sums**2).sum()) + 2 * most * most) * count / (count - 1))


def _sums(deviations: Array, clusters: Array) -> tuple[Array, int]:
    """Sums over whole clusters, float64 [C, k], and their number C."""
    _, places = np.unique(clusters, return_inverse=True)
    sums = np.stack([np.bincount(places, column) for column in deviations.T], axis=1)
    return sums, len(sums)


def _largest(sums: Array, otherwise: float) -> float:
    most = float(np.abs(sums).max())
    return most if most > 1e-9 * otherwise else otherwise
