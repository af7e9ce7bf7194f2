"""Gaps between the error rates of groups, and how sure their increase by compression is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.slices import clustered_loss
from edgekit.parity.slices.record import GroupGap, SliceRecord
from edgekit.parity.statistics.estimate import normal_quantile
from edgekit.parity.statistics.student import student_quantile

DRAWS = 4000
SEED = 20261128


Group = tuple[SliceRecord, Array, Array, Array | None]
"""Slice of a column, the scores of reference and candidate, and the clusters of its samples."""


def group_gaps(
    records: Sequence[SliceRecord],
    reference: Sequence[Array],
    candidate: Sequence[Array],
    clusters: Sequence[Array] | None = None,
) -> Iterator[GroupGap]:
    """Gap of each stated column with two groups or more that are large enough.

    records: stated slices, those of a column one after another. reference, candidate: scores of the samples of each,
    float64 [n] in [0, 1]; an error rate is 1 minus their mean. clusters: of the samples of each, int64 [n]; None where
    samples are independent. Clusters that lie in two groups of a column are counted in each.
    """
    among: Sequence[Array | None] = clusters or [None] * len(records)
    numbered = zip(records, reference, candidate, among, strict=True)
    for by, group in groupby(numbered, key=lambda each: each[0].by):
        judged = [each for each in group if each[0].judged]
        if len(judged) > 1:
            yield _gap(by, judged)


def _gap(by: str, groups: Sequence[Group]) -> GroupGap:
    errors = np.array([[1 - theirs.mean(), 1 - ours.mean()] for _, theirs, ours, _ in groups])
    worst, best = int(errors[:, 1].argmax()), int(errors[:, 1].argmin())
    return GroupGap(
        by=by,
        groups=len(groups),
        samples=sum(record.samples for record, *_ in groups),
        before=float(np.ptp(errors[:, 0])),
        after=float(np.ptp(errors[:, 1])),
        worst=groups[worst][0].name,
        best=groups[best][0].name,
        standard_error=_error(errors, groups),
        clusters=min((record.clusters for record, *_ in groups if record.clusters is not None), default=None),
    )


def _error(errors: Array, groups: Sequence[Group]) -> float:
    """Standard error of the increase, by a parametric bootstrap: error rates of each group vary as a pair does."""
    rng = np.random.default_rng(SEED)
    draws = np.stack(
        [
            rng.multivariate_normal(means, _covariance(theirs, ours, clusters), DRAWS, method="svd")
            for means, (_, theirs, ours, clusters) in zip(errors, groups, strict=True)
        ]
    )
    gaps = np.ptp(draws, axis=0)
    return float((gaps[:, 1] - gaps[:, 0]).std())


def _covariance(theirs: Array, ours: Array, clusters: Array | None) -> Array:
    """Covariance [2, 2] of the two error rates of a group, with one flip more each way, as in `paired_bootstrap`."""
    if clusters is not None:
        return clustered_loss.covariance(np.stack([theirs, ours], axis=1), clusters)
    count = len(theirs)
    pairs = np.vstack([np.append(theirs, (1.0, 0.0)), np.append(ours, (0.0, 1.0))])
    return np.asarray(np.cov(pairs, ddof=0) / count)


def increase_bounds(gap: GroupGap, confidence: float) -> tuple[float, float]:
    """Increase of a gap between two one-sided bounds, each at `confidence`.

    By the normal distribution, or, of samples in clusters, by Student's t with the degrees of the group with fewest.
    """
    clusters = gap.clusters
    quantile = normal_quantile(confidence) if clusters is None else student_quantile(confidence, clusters - 1)
    half = quantile * gap.standard_error
    return gap.increase - half, min(1.0, gap.increase + half) if math.isfinite(half) else 1.0
