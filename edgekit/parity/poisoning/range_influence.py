"""Influence of calibration samples on ranges: which few of them alone make the range of an activation wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.poisoning.record import RangeOutlier

HALF = 0.5
"""Share of a range from which samples are named: without them the others would have a bit of precision more."""
FEW = 0.02
"""Largest share of the samples that count as few."""


@dataclass(frozen=True)
class Extremes:
    """Least and greatest value of each sample in each activation, float [N, T]."""

    names: tuple[str, ...]
    lows: Array
    highs: Array


def leave_one_out(extremes: Extremes) -> Array:
    """Share of the range of each activation that is there for each sample alone, float64 [N, T] in [0, 1].

    Ranges hold zero, as integer kernels demand.
    """
    if len(extremes.lows) < 2:
        return np.zeros(extremes.lows.shape)
    lows, highs = np.minimum(extremes.lows, 0.0), np.maximum(extremes.highs, 0.0)
    whole = highs.max(0) - lows.min(0)
    top, bottom = np.sort(highs, axis=0)[-2:], np.sort(lows, axis=0)[:2]
    # Without the sample that has an end, the next one has it.
    high = np.where(highs == top[1], top[0], top[1])
    low = np.where(lows == bottom[0], bottom[1], bottom[0])
    return np.asarray(1 - _ratio(high - low, whole))


def range_outliers(extremes: Extremes) -> tuple[RangeOutlier, ...]:
    """Samples without which the range of an activation is half as wide or less, the most influential first.

    Samples that share an extreme hide each other when one is left out at a time. So the farthest from the median go
    together, as many as are few, and the smallest number that halves the range is named. Samples with NaN or infinite
    values are all named, with all of the range.
    """
    count = len(extremes.lows)
    most = max(1, int(count * FEW))
    lows, highs = np.minimum(extremes.lows, 0.0), np.maximum(extremes.highs, 0.0)
    named: dict[int, list[RangeOutlier]] = {}
    for tensor, name in enumerate(extremes.names):
        finite = np.flatnonzero(np.isfinite(extremes.lows[:, tensor]) & np.isfinite(extremes.highs[:, tensor]))
        broken = np.setdiff1d(np.arange(count), finite).tolist()
        group, share = _group(lows[finite, tensor], highs[finite, tensor], most)
        for samples, part in (([int(finite[i]) for i in group], share), (broken, 1.0)):
            for sample in samples:
                outlier = RangeOutlier(sample=sample, tensor=name, share=part, together=len(samples), tensors=1)
                named.setdefault(sample, []).append(outlier)
    worst = [max(each, key=lambda one: one.share).model_copy(update={"tensors": len(each)}) for each in named.values()]
    return tuple(sorted(worst, key=lambda one: (-one.share, -one.tensors, one.sample)))


def _group(lows: Array, highs: Array, most: int) -> tuple[Sequence[int], float]:
    """Fewest samples whose removal halves the range of one activation, and the share of the range; empty if none."""
    if len(lows) < 2:
        return (), 0.0
    whole = highs.max() - lows.min()
    farness = np.maximum(highs - np.median(highs), np.median(lows) - lows)
    order = np.argsort(-farness, kind="stable")
    for count in range(1, min(most, len(lows) - 1) + 1):
        rest = order[count:]
        share = 1 - float(_ratio(highs[rest].max() - lows[rest].min(), whole))
        if share >= HALF:
            return sorted(order[:count].tolist()), share
    return (), 0.0


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.ones_like(np.asarray(part, np.float64)), where=np.asarray(whole) > 0)
