"""Estimate of a value with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Estimate:
    """Estimate of a value: the value, and its interval at the confidence of the caller."""

    value: float
    low: float
    high: float

    def __neg__(self) -> Estimate:
        """Estimate of the value with the other sign: a change is a drop the other way round."""
        return Estimate(-self.value, -self.high, -self.low)


def normal_quantile(confidence: float) -> float:
    """Quantile of the standard normal distribution: 1.645 for 0.95."""
    return NormalDist().inv_cdf(confidence)


def normal_share(quantile: float) -> float:
    """Share of the standard normal distribution below a quantile: 0.95 for 1.645."""
    return NormalDist().cdf(quantile)


def between(value: float, low: float, high: float) -> Estimate:
    """Estimate whose interval holds its value, as a resampled interval may fail to."""
    return Estimate(value, min(value, low), max(value, high))


def exact(value: float) -> Estimate:
    """Estimate of a value that is no sample of anything: its bounds are the value."""
    return Estimate(value, value, value)
