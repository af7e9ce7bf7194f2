"""Number of samples that would decide what those at hand leave undecided."""

from __future__ import annotations

import math
from collections.abc import Callable

from edgekit.parity.statistics.equivalence import decide
from edgekit.parity.statistics.estimate import Estimate, normal_quantile, normal_share

POWER = 0.8
"""Chance that as many samples decide it, if the measured shares are the true ones."""
MOST = 1e9
"""Number of samples beyond which a value is taken to lie on its limit."""


def planning_confidence(confidence: float) -> float:
    """Confidence at which the expected interval must decide, so that a measured one does with a chance of `POWER`."""
    return normal_share(normal_quantile(confidence) + normal_quantile(POWER))


def shrunk(estimate: Estimate, count: int, samples: float, confidence: float) -> Estimate:
    """Interval expected of `samples` samples at the planning confidence, from one of `count` at `confidence`.

    Its width falls with the root of the number, as that of any mean.
    """
    wider = normal_quantile(planning_confidence(confidence)) / normal_quantile(confidence)
    scale = wider * math.sqrt(count / samples)
    low, high = estimate.value - estimate.low, estimate.high - estimate.value
    return Estimate(estimate.value, estimate.value - low * scale, estimate.value + high * scale)


def settling_count(
    expected: Callable[[float], Estimate], count: int, least: float | None, most: float | None
) -> int | None:
    """Number of samples, to two digits, that would decide against the limits; None where no number would.

    expected: interval of so many samples if they are like the `count` measured ones, at the planning confidence.
    """
    low, high = float(count), 2.0 * count
    while decide(expected(high), least, most) == "undecided":
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high > 1.001 * low:
        middle = (low + high) / 2
        low, high = (middle, high) if decide(expected(middle), least, most) == "undecided" else (low, middle)
    return two_digits(high)


def two_digits(count: float) -> int:
    """Round up to two significant digits: 370 for 361."""
    unit: int = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / unit) * unit
