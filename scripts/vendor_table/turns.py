"""Times of two calls that take turns, and the interval of their ratio."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

import numpy as np

BLOCK_NS = 20_000_000
"""Length of a turn: the first inference of one pays for what the other left in the caches."""
LEAST_ROUNDS, MOST_ROUNDS = 15, 101

Call = Callable[[], object]


def turns(ours: Call, theirs: Call, budget_s: float) -> tuple[float, float, tuple[float, float, float]]:
    """Medians of both in microseconds, and the ratio of ours to theirs: median over rounds, and its 95 % interval.

    A round is a turn of each, in changing order, and a turn's time is its least inference. The interval has the order
    statistics whose coverage is 95 % of the median of any distribution (Conover 1999, section 3.2).
    """
    pace = {call: _least(call, BLOCK_NS) for call in (ours, theirs)}
    rounds = int(budget_s * 1e9 / (2 * max(BLOCK_NS, max(pace.values()))))
    rounds = min(max(rounds, LEAST_ROUNDS), MOST_ROUNDS)
    least: dict[Call, list[int]] = {ours: [], theirs: []}
    for i in range(rounds):
        for call in (ours, theirs) if i % 2 else (theirs, ours):
            least[call].append(_least(call, BLOCK_NS))
    one, other = (np.array(least[call]) for call in (ours, theirs))
    ratios = np.sort(one / other)
    rank = int(np.floor((rounds - 1.96 * np.sqrt(rounds)) / 2))
    interval = (
        float(np.median(ratios)),
        float(ratios[max(rank, 0)]),
        float(ratios[min(rounds - 1 - rank, rounds - 1)]),
    )
    return float(np.median(one)) / 1e3, float(np.median(other)) / 1e3, interval


def _least(call: Call, limit_ns: int) -> int:
    """Least time of one inference within a turn, in ns."""
    begun, least = perf_counter_ns(), 1 << 62
    while True:
        started = perf_counter_ns()
        call()
        ended = perf_counter_ns()
        least = min(least, ended - started)
        if ended - begun > limit_ns:
            return least
