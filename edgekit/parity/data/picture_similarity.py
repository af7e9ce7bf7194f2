"""Similarity of pairs of pictures by the details of their thumbnails, laid over each other by the best shift."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.data.thumbnails import SIDE

SHIFT = 3
"""Largest shift of a picture that is undone, in thirty-seconds of its sides."""
BLOCK = 1024
"""Pairs of thumbnails that are in memory at a time."""


class PictureSimilarity:
    """Correlation of pairs of pictures of two sets: details float16 [N, 32, 32] and [M, 32, 32].

    The best shift is where their circular correlation is largest; the correlation is that of what overlaps then. Each
    picture is transformed (FFT) once, however many pairs it is in.
    """

    def __init__(self, ours: Array, theirs: Array) -> None:
        self._sets = ours, theirs

    def __call__(self, ours: Array, theirs: Array) -> Array:
        """Similarity of each pair, float32 [K], in [-1, 1]; 0 for a picture of one colour.

        ours, theirs: places in the two sets, int [K].
        """
        similarity = np.empty(len(ours), np.float32)
        for start in range(0, len(ours), BLOCK):
            pairs = ours[start : start + BLOCK], theirs[start : start + BLOCK]
            similarity[start : start + BLOCK] = self._overlapping(pairs, self._best_shift(pairs))
        return similarity

    @cached_property
    def _spectra(self) -> tuple[Array, Array]:
        ours, theirs = self._sets
        made = _spectra(ours)
        return made, made if theirs is ours else _spectra(theirs)

    def _best_shift(self, pairs: tuple[Array, Array]) -> Array:
        """Rows and columns by which ours lie below and right of theirs, int64 [K, 2], each up to 3."""
        a, b = (spectra[places] for spectra, places in zip(self._spectra, pairs, strict=True))
        product = np.multiply(a, np.conj(b, out=b), out=a)
        # A complex number is its real and its imaginary part, side by side.
        near = product.reshape(len(product), -1).view(np.float32) @ _WAVES
        down, right = np.divmod(near.argmax(axis=1), 2 * SHIFT + 1)
        return np.asarray(np.stack([down, right], axis=1) - SHIFT)

    def _overlapping(self, pairs: tuple[Array, Array], shift: Array) -> Array:
        """Correlation of what overlaps of pictures that lie below and right of others by `shift` [K, 2]."""
        made = np.zeros(len(shift), np.float32)
        for (down, right), here in _alike(shift):
            cut = tuple(
                np.asarray(values[places[here]][:, *map(_kept, where)], np.float32).reshape(len(here), -1)
                for values, places, where in zip(self._sets, pairs, ((down, right), (-down, -right)), strict=True)
            )
            made[here] = _correlation(*cut)
        return made


def _spectra(details: Array) -> Array:
    """Two-dimensional transforms complex64 [N, 32, 17] of details [N, 32, 32]."""
    made = np.empty((len(details), SIDE, SIDE // 2 + 1), np.complex64)
    for start in range(0, len(details), BLOCK):
        block = np.asarray(details[start : start + BLOCK], np.float32)
        # Products of matrices take a fifth of the time of `rfft2`, which calls a function for each row.
        made[start : start + BLOCK] = _FULL @ (block @ _HALF).view(np.complex64)
    return made


def _transform(count: int) -> Array:
    """Matrix complex64 [32, count] of the first `count` frequencies of a transform of 32 values."""
    angle = 2 * np.pi / SIDE * np.arange(SIDE)[:, None] * np.arange(count)
    return np.asarray(np.exp(-1j * angle), np.complex64)


_FULL = _transform(SIDE)
_HALF = np.ascontiguousarray(_transform(SIDE // 2 + 1)).view(np.float32)
"""Real and imaginary part of each frequency side by side: rows of real values have the other half mirrored."""


def _waves() -> Array:
    """Matrix float32 [32 * 17 * 2, 49] from a product of spectra to the correlation at shifts of up to 3 each way.

    It is the inverse transform, of which only these places are wanted.
    """
    reach = np.arange(-SHIFT, SHIFT + 1)
    rows, columns = np.arange(SIDE), np.arange(SIDE // 2 + 1)
    angle = 2 * np.pi / SIDE * (rows[:, None, None, None] * reach[:, None] + columns[:, None, None] * reach)
    # All columns but the first and the last stand for their mirror images too.
    weight = np.where((columns == 0) | (columns == SIDE // 2), 1.0, 2.0)[:, None, None]
    parts = np.stack([weight * np.cos(angle), -weight * np.sin(angle)], axis=2)
    return np.ascontiguousarray(parts.reshape(-1, len(reach) ** 2), np.float32)


_WAVES = _waves()


def _alike(shift: Array) -> Iterator[tuple[tuple[int, int], Array]]:
    """Yield each shift that occurs in [K, 2], and the places that have it, int64 [L]."""
    code = (shift[:, 0] + SHIFT) * (2 * SHIFT + 1) + shift[:, 1] + SHIFT
    for value in np.unique(code).tolist():
        down, right = divmod(value, 2 * SHIFT + 1)
        yield (down - SHIFT, right - SHIFT), np.flatnonzero(code == value)


def _kept(shift: int) -> slice:
    """Rows or columns that overlap those of a picture which lies so many above, or left."""
    return slice(max(shift, 0), SIDE + min(shift, 0))


def _correlation(ours: Array, theirs: Array) -> Array:
    """Pearson's correlation of each pair of float32 [K, D]; 0 where one is constant."""
    a, b = (each - each.mean(axis=1, keepdims=True) for each in (ours, theirs))
    products = np.einsum("ij,ij->i", a, b)
    squares = np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b)
    certain = squares > 1e-12
    return np.asarray(np.where(certain, products / np.sqrt(np.where(certain, squares, 1)), 0))
