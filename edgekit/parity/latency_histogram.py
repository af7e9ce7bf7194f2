"""Histograms of latencies on edges that two endpoints share, to show them side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array

BINS = 24


@dataclass(frozen=True)
class Histogram:
    """Counts of latencies between edges that grow by one factor."""

    edges_ns: tuple[int, ...]
    """Edges in nanoseconds, rising; one more than there are counts."""
    counts: tuple[int, ...]


def side_by_side(first_ns: Array, second_ns: Array) -> tuple[Histogram | None, Histogram | None]:
    """Histograms of int64 [M] and int64 [N] latencies, every one in a bin. None for a side without any."""
    # No logarithm of zero, which a coarse clock may give.
    both = np.maximum(np.concatenate((first_ns, second_ns)), 1)
    if not len(both):
        return None, None
    edges = _edges(int(both.min()), int(both.max()))
    return _histogram(first_ns, edges), _histogram(second_ns, edges)


def _edges(least: int, most: int) -> Array:
    """Edges int64 [K + 1], K at most BINS, around `least` and `most`; a narrow range has fewer whole nanoseconds."""
    spaced = np.geomspace(least, most + 1, BINS + 1)
    return np.unique(np.concatenate(([least], np.rint(spaced[1:-1]).astype(np.int64), [most + 1])))


def _histogram(latency_ns: Array, edges: Array) -> Histogram | None:
    if not len(latency_ns):
        return None
    counts, _ = np.histogram(np.maximum(latency_ns, 1), edges)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))
