"""Percentiles of latencies that as many latencies support as were measured."""

from __future__ import annotations

from functools import cache

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.binomial import binomial_tail

LATENCY_CONFIDENCE = 0.99
"""Confidence of LoadGen: an estimate of a percentile is too low at most once in a hundred probes."""


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
    tail = binomial_tail(count, 1 - percent / 100)
    return max(0, int(np.searchsorted(tail, 1 - LATENCY_CONFIDENCE, side="right")) - 1)
