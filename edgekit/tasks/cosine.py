"""Cosines of embeddings, and correlations of values with grades."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgekit.ir.measurement import Array

BLOCK = 4_000_000
"""Cosines that are in memory at once: 16 MB."""


def normalized(embeddings: Array) -> Array:
    """Embeddings float32 [N, D] of length 1; those of length 0 stay so."""
    flat = embeddings.reshape(len(embeddings), -1).astype(np.float64)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.where(lengths > 0, lengths, 1), np.float32)


def cosine_blocks(queries: Array, gallery: Array) -> Iterator[tuple[slice, Array]]:
    """Yield cosines float32 [n, M] of some queries after the other, normalized [N, D], with a gallery [M, D]."""
    rows = max(1, BLOCK // max(1, len(gallery)))
    for start in range(0, len(queries), rows):
        part = slice(start, start + rows)
        yield part, queries[part] @ gallery.T


def ranks(values: Array) -> Array:
    """Rank of each value, float64 [N], from 0; of equal values the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts + 1) / 2)[group])


def pearson(x: Array, y: Array) -> float:
    """Correlation of two series (Pearson), in [-1, 1]; 0 where one is constant."""
    dx, dy = x - x.mean(), y - y.mean()
    length = float(np.sqrt((dx * dx).sum() * (dy * dy).sum()))
    return float((dx * dy).sum() / length) if length > 0 else 0.0


def spearman(x: Array, y: Array) -> float:
    """Rank correlation of two series (Spearman), in [-1, 1]; 0 where one is constant."""
    return pearson(ranks(x), ranks(y))
