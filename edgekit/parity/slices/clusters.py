"""Clusters of samples by the outputs of the reference: k-means (Lloyd 1982, seeded as k-means++) in numpy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.gate_texts import percent
from edgekit.parity.slices.slice import Slice
from edgekit.stratification import FEW, spread

CLUSTERS = 8
FITTED = 20_000
"""Samples that the centres are found on; all are then assigned to one."""
VALUES = 1024
"""Values of a sample's output that are looked at: every k-th of more."""
ROUNDS = 25
SEED = 20261128
NAMED = 200
"""Samples of a cluster whose answers name it."""
MOSTLY = 0.3
"""Share of one answer among them from which on it names the cluster."""


def by_cluster(outputs: Array, answer: Callable[[int], str]) -> Iterator[Slice]:
    """Slices of the samples whose outputs, float [N, …], are near one another.

    answer: words of the reference's answer to a sample, by which clusters are named.
    """
    places = assigned(outputs)
    for cluster in range(int(places.max()) + 1 if len(places) else 0):
        members = places == cluster
        among = np.flatnonzero(members)
        texts = Counter(answer(int(among[i])) for i in spread(len(among), min(NAMED, len(among))))
        text, times = texts.most_common(1)[0]
        share = times / texts.total()
        known = f", which the reference answers '{text}' in {percent(round(share, 2))}" if share >= MOSTLY else ""
        name = f"cluster {cluster + 1}"
        yield Slice(name, f"{name} of the reference's outputs{known}", "cluster", "automatic", members)


def assigned(outputs: Array) -> Array:
    """Cluster of each sample, int64 [N] from 0 on without gaps; empty where there are too few samples to tell apart."""
    count = min(CLUSTERS, len(outputs) // FEW)
    if count < 2:
        return np.empty(0, np.int64)
    flat = outputs.reshape(len(outputs), -1)
    points = flat[:, :: -(-flat.shape[1] // VALUES)].astype(np.float32)
    centres = _centres(points[spread(len(points), min(FITTED, len(points)))], count)
    nearest = _nearest(points, centres)
    kinds, places = np.unique(nearest, return_inverse=True)
    return np.asarray(places.reshape(-1)) if len(kinds) > 1 else np.empty(0, np.int64)


def _centres(points: Array, count: int) -> Array:
    rng = np.random.default_rng(SEED)
    centres = points[rng.integers(len(points))][None]
    for _ in range(count - 1):  # k-means++ (Arthur & Vassilvitskii 2007): far points are likely to be the next centre
        far = np.min(_distances(points, centres), axis=1)
        if not far.sum() > 0:
            break
        centres = np.vstack([centres, points[rng.choice(len(points), p=far / far.sum())]])
    for _ in range(ROUNDS):
        nearest = _nearest(points, centres)
        sums = np.zeros((len(centres), points.shape[1]))
        np.add.at(sums, nearest, points)
        sizes = np.bincount(nearest, minlength=len(centres))[:, None]
        moved = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres).astype(np.float32)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.asarray(centres)


def _nearest(points: Array, centres: Array) -> Array:
    rows = max(1, 4_000_000 // max(1, points.shape[1]))
    parts = [_distances(points[i : i + rows], centres).argmin(axis=1) for i in range(0, len(points), rows)]
    return np.concatenate(parts)


def _distances(points: Array, centres: Array) -> Array:
    """Squared distances, float64 [N, K]."""
    wide, far = points.astype(np.float64), centres.astype(np.float64)
    squares = (wide * wide).sum(axis=1)[:, None] - 2 * wide @ far.T + (far * far).sum(axis=1)
    return np.asarray(np.maximum(squares, 0.0))
