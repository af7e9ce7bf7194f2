"""Similarity of pairs of samples by their values, in [-1, 1]: the finer check of pairs that descriptors found alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.data.picture_similarity import PictureSimilarity
from edgekit.parity.data.sample_kind import Kind
from edgekit.parity.data.shingles import jaccard, shingles

PairSimilarity = Callable[[Array, Array], Array]
"""Function from places in two sets, int [K] each, to the similarity of each pair, float32 [K]."""


def pair_similarity(kind: Kind, ours: Array, theirs: Array) -> PairSimilarity:
    """Similarity of pairs of two sets of samples, by the values of their views, [N, …] and [M, …]."""
    if kind == "pictures":
        return PictureSimilarity(ours, theirs)
    similarity = _SIMILARITIES[kind]
    return lambda a, b: similarity(ours[a], theirs[b])


def recording_similarity(ours: Array, theirs: Array) -> Array:
    """Largest correlation of recordings [K, T] over all shifts in time, float32 [K]; loudness does not count."""
    similarity = np.zeros(len(ours), np.float32)
    for i, pair in enumerate(zip(ours, theirs, strict=True)):
        a, b = (scaled(np.asarray(each, np.float64)[None])[0] for each in pair)
        scale = np.linalg.norm(a) * np.linalg.norm(b)
        if scale > 0:
            size = 2 * len(a)
            products = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
            similarity[i] = np.abs(products).max() / scale
    return similarity


def token_similarity(ours: Array, theirs: Array) -> Array:
    """Share of shingles that texts int [K, L] have in common (Jaccard), float32 [K]."""
    pairs = zip(ours, theirs, strict=True)
    return np.array([jaccard(shingles(a), shingles(b)) for a, b in pairs], np.float32)


def number_similarity(ours: Array, theirs: Array) -> Array:
    """Correlation of the values of samples [K, …], float32 [K]; 0 where all values of one are equal."""
    return correlation(*(np.asarray(each, np.float64) for each in (ours, theirs)))


def correlation(ours: Array, theirs: Array) -> Array:
    """Pearson's correlation of each pair of [K, …], float32 [K]; 0 where one is constant, NaN or infinite."""
    a, b = (scaled(each.reshape(len(each), -1)) for each in (ours, theirs))
    a, b = (each - each.mean(axis=1, keepdims=True) for each in (a, b))
    products = np.einsum("ij,ij->i", a, b)
    squares = np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b)
    certain = squares > 1e-12
    return np.where(certain, products / np.sqrt(np.where(certain, squares, 1)), 0).astype(np.float32)


def scaled(rows: Array) -> Array:
    """Rows [K, D] within [-1, 1]: squares of large numbers are infinite. Rows with NaN or infinite values are zero."""
    finite = np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, 0)
    largest = np.abs(finite).max(axis=1, keepdims=True, initial=0)
    return np.asarray(finite / np.where(largest > 0, largest, 1))


_SIMILARITIES: dict[Kind, Callable[[Array, Array], Array]] = {
    "recordings": recording_similarity,
    "tokens": token_similarity,
    "numbers": number_similarity,
}
