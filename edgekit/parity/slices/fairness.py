"""Gaps between the error rates of groups, and how sure their increase by compression is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.slices.record import GroupGap, SliceRecord

DRAWS = 4000
SEED = 20261128


def group_gaps(
    records: Iterable[SliceRecord], reference: Sequence[Array], candidate: Sequence[Array]
) -> Iterator[GroupGap]:
    """Gap of each stated column with two groups or more that are large enough.

    records: stated slices, those of a column one after another. reference, candidate: scores of the samples of each,
    float64 [n] in [0, 1]; an error rate is 1 minus their mean.
    """
    numbered = zip(records, reference, candidate, strict=True)
    for by, group in groupby(numbered, key=lambda each: each[0].by):
        judged = [each for each in group if each[0].judged]
        if len(judged) > 1:
            yield _gap(by, judged)


def _gap(by: str, groups: Sequence[tuple[SliceRecord, Array, Array]]) -> GroupGap:
    errors = np.array([[1 - theirs.mean(), 1 - ours.mean()] for _, theirs, ours in groups])
    worst, best = int(errors[:, 1].argmax()), int(errors[:, 1].argmin())
    return GroupGap(
        by=by,
        groups=len(groups),
        samples=sum(record.samples for record, _, _ in groups),
        before=float(np.ptp(errors[:, 0])),
        after=float(np.ptp(errors[:, 1])),
        worst=groups[worst][0].name,
        best=groups[best][0].name,
        standard_error=_error(errors, groups),
    )


def _error(errors: Array, groups: Sequence[tuple[SliceRecord, Array, Array]]) -> float:
    """Standard error of the increase, by a parametric bootstrap: error rates of each group vary as a pair does."""
    rng = np.random.default_rng(SEED)
    draws = np.stack(
        [
            rng.multivariate_normal(means, _covariance(theirs, ours), DRAWS, method="svd")
            for means, (_, theirs, ours) in zip(errors, groups, strict=True)
        ]
    )
    gaps = np.ptp(draws, axis=0)
    return float((gaps[:, 1] - gaps[:, 0]).std())


def _covariance(theirs: Array, ours: Array) -> Array:
    """Covariance [2, 2] of the two error rates of a group, with one flip more each way, as in `paired_bootstrap`."""
    count = len(theirs)
    pairs = np.vstack([np.append(theirs, (1.0, 0.0)), np.append(ours, (0.0, 1.0))])
    return np.asarray(np.cov(pairs, ddof=0) / count)


def increase_bounds(gap: GroupGap, z: float) -> tuple[float, float]:
    """Increase of a gap, `z` standard errors down and up."""
    half = z * gap.standard_error
    return gap.increase - half, min(1.0, gap.increase + half) if math.isfinite(half) else 1.0
