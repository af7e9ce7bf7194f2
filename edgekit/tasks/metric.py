"""Metric of a task, with its unit and direction, and the scores that it is computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array

SHARE = "share"
"""Unit of metrics in [0, 1], which are shown in percent."""
LEAST = 1e-12
"""Smallest magnitude that a loss is taken relative to."""


@dataclass(frozen=True)
class Metric:
    """Name, unit and direction of a metric."""

    name: str
    """Name in reports, such as `top1`."""
    unit: str = SHARE
    """`share` for a metric in [0, 1]; else the unit of its values, such as `dB`, or empty for plain numbers."""
    higher_is_better: bool = True

    def loss(self, reference: float, candidate: float) -> float:
        """Loss of the candidate against the reference: 0.01 is one point of a share, or 1 % of any other metric.

        Negative for a gain. Points mean nothing for an error in metres, or a quality in decibels: there the loss is
        relative to the reference's value.
        """
        worse = reference - candidate if self.higher_is_better else candidate - reference
        return worse if self.unit == SHARE else worse / max(abs(reference), LEAST)


@dataclass(frozen=True)
class Scores:
    """Scores of one endpoint's answers to a set of samples."""

    each: Array
    """float64 [N]: quality of the answer to each sample, higher is better whatever the metric's direction."""
    pooled: Callable[[Array], float] | None = None
    """Metric of the samples at some indices, int64 [n], which may repeat (a bootstrap's). None for the mean of `each`.

    For metrics that are no mean over samples, such as mean average precision, an F1 or a correlation.
    """

    @property
    def value(self) -> float:
        """The metric over all samples."""
        return self.at(np.arange(len(self.each))) if self.pooled else float(self.each.sum() / len(self.each))

    def at(self, indices: Array) -> float:
        """The metric over the samples at `indices`, int64 [n], n > 0."""
        return self.pooled(indices) if self.pooled else float(self.each[indices].mean())
