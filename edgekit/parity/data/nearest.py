"""Nearest samples of another set, or of the same one, by Hamming distance or by cosine, in blocks of bounded memory."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array

CELLS = 1 << 22
"""Pairs that are compared at a time: 16 MB of float32 cosines, 32 MB of hashes."""


def nearest_hash(ours: Array, theirs: Array, own: Array | None = None) -> tuple[Array, Array]:
    """Index into `theirs` of the nearest hash of each of ours, int64 [N], and the Hamming distance, int64 [N].

    ours, theirs: uint64 [N] and [M]. own: places of ours in `theirs`, int [N], which are no neighbours of theirs; None
    if they are other samples. `theirs` must hold one sample more.
    """
    index, distance = np.empty(len(ours), np.int64), np.empty(len(ours), np.int64)
    for start, stop in _blocks(len(ours), len(theirs)):
        # Counts of 64 bits fit a byte: a quarter of the memory traffic of an integer.
        bits = np.bitwise_count(ours[start:stop, None] ^ theirs[None])
        if own is not None:
            bits[np.arange(stop - start), own[start:stop]] = 65
        index[start:stop] = bits.argmin(axis=1)
        distance[start:stop] = bits[np.arange(stop - start), index[start:stop]]
    return index, distance


def nearest_cosine(ours: Array, theirs: Array, count: int, own: Array | None = None) -> Array:
    """Indices into `theirs` of the `count` most similar vectors of each of ours, int64 [N, count or M].

    ours, theirs: float32 [N, D] and [M, D], rows of length 1. own: as in `nearest_hash`.
    """
    kept = min(count, len(theirs) - (own is not None))
    index = np.empty((len(ours), kept), np.int64)
    for start, stop in _blocks(len(ours), len(theirs)):
        cosines = ours[start:stop] @ theirs.T
        if own is not None:
            cosines[np.arange(stop - start), own[start:stop]] = -2
        if kept < len(theirs):
            index[start:stop] = np.argpartition(-cosines, kept - 1, axis=1)[:, :kept]
        else:
            index[start:stop] = np.arange(kept)
    return index


def _blocks(count: int, others: int) -> list[tuple[int, int]]:
    size = max(1, CELLS // max(others, 1))
    return [(start, min(start + size, count)) for start in range(0, count, size)]
