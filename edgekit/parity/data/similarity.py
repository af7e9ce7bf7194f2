"""Similarity of pairs of samples by their values, in [-1, 1]: the finer check of pairs that descriptors found alike."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.data.shingles import jaccard, shingles

SHIFT = 3
"""Largest shift of a picture that is undone, in thirty-seconds of its sides."""
BLOCK = 1024
"""Pairs of thumbnails that are in memory at a time."""


def picture_similarity(ours: Array, theirs: Array) -> Array:
    """Correlation of details [K, 32, 32], laid over each other by the best shift of up to 3 pixels, float32 [K].

    The best shift is where their circular correlation is largest (by FFT); the correlation is that of what overlaps.
    0 for a picture of one colour.
    """
    similarity = np.empty(len(ours), np.float32)
    for start in range(0, len(ours), BLOCK):
        a, b = (np.asarray(each[start : start + BLOCK], np.float32) for each in (ours, theirs))
        similarity[start : start + BLOCK] = _overlap_correlation(a, b, _best_shift(a, b))
    return similarity


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


def _best_shift(ours: Array, theirs: Array) -> Array:
    """Rows and columns by which ours lie below and right of theirs, int64 [K, 2], each up to 3."""
    a, b = (np.fft.rfft2(each) for each in (ours, theirs))
    surface = np.fft.irfft2(a * np.conj(b), ours.shape[1:])
    reach = np.arange(-SHIFT, SHIFT + 1)
    near = surface[:, reach[:, None], reach[None, :]].reshape(len(ours), -1)
    down, right = np.divmod(near.argmax(axis=1), len(reach))
    return np.asarray(np.stack([down, right], axis=1) - SHIFT)


def _overlap_correlation(ours: Array, theirs: Array, shift: Array) -> Array:
    """Correlation of what overlaps of thumbnails [K, 32, 32] that lie below and right of others by `shift` [K, 2]."""
    places = np.arange(ours.shape[1])
    source = places - shift[:, :, None]  # [K, 2, 32]: row and column of theirs under each of ours
    inside = (source >= 0) & (source < len(places))
    rows, columns = np.clip(source, 0, len(places) - 1).transpose(1, 0, 2)
    weight = (inside[:, 0, :, None] & inside[:, 1, None, :]).astype(np.float32)
    a = ours * weight
    b = theirs[np.arange(len(ours))[:, None, None], rows[:, :, None], columns[:, None, :]] * weight
    count = weight.sum(axis=(1, 2))
    sums = a.sum(axis=(1, 2)), b.sum(axis=(1, 2))
    products, own, other = (np.einsum("kij,kij->k", x, y) for x, y in ((a, b), (a, a), (b, b)))
    squares = (own - sums[0] ** 2 / count) * (other - sums[1] ** 2 / count)
    certain = squares > 1e-12
    return np.where(certain, (products - sums[0] * sums[1] / count) / np.sqrt(np.where(certain, squares, 1)), 0)


def scaled(rows: Array) -> Array:
    """Rows [K, D] within [-1, 1]: squares of large numbers are infinite. Rows with NaN or infinite values are zero."""
    finite = np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, 0)
    largest = np.abs(finite).max(axis=1, keepdims=True, initial=0)
    return np.asarray(finite / np.where(largest > 0, largest, 1))
