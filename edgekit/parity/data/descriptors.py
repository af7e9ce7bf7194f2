"""Descriptors of samples, vectors of length 1: the cosine of two says which pairs are worth a finer look."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.data.shingles import shingles
from edgekit.parity.data.similarity import scaled
from edgekit.parity.data.thumbnails import area_means

BANDS = 32
"""Bands of frequency of a recording, spaced evenly in the logarithm."""
FRAME = 256
"""Values of one frame of a recording."""
BUCKETS = 512
"""Buckets that the shingles of a text are counted in."""
VALUES = 256
"""Numbers of a sample that are compared, at most: means over stretches of longer ones."""


def picture_descriptor(thumbnail: Array) -> Array:
    """8 x 8 means of thumbnails [N, 32, 32] without their brightness and contrast, float32 [N, 64]."""
    return _unit(area_means(thumbnail, 8, 8).reshape(len(thumbnail), 64))


def recording_descriptor(recordings: Array) -> Array:
    """Logarithms of the mean power of recordings [N, T] in each band, less their mean, float32 [N, bands].

    It does not change with the loudness, and little with a shift in time. Bands that all recordings share tell nothing:
    `centred` takes them out.
    """
    edges = np.unique(np.geomspace(1, FRAME // 2, BANDS + 1).astype(int))
    starts = np.arange(0, max(recordings.shape[1] - FRAME, 0) + 1, FRAME // 2)
    made = np.empty((len(recordings), len(edges) - 1), np.float32)
    for i, recording in enumerate(recordings):
        whole = np.zeros(max(FRAME, len(recording)))
        whole[: len(recording)] = scaled(np.asarray(recording, np.float64)[None])[0]
        frames = whole[starts[:, None] + np.arange(FRAME)] * np.hanning(FRAME)
        power = (np.abs(np.fft.rfft(frames, axis=1)) ** 2).mean(axis=0)
        bands = np.log(np.add.reduceat(power[: edges[-1]], edges[:-1]) + 1e-10)
        made[i] = bands - bands.mean()
    return made


def token_descriptor(tokens: Array) -> Array:
    """Counts of the hashed shingles of texts, int [N, L], float32 [N, 512]."""
    made = np.zeros((len(tokens), BUCKETS), np.float32)
    for i, row in enumerate(tokens):
        np.add.at(made[i], (shingles(row) % np.uint64(BUCKETS)).astype(int), 1)
    return _unit(made, centre=False)


def number_descriptor(numbers: Array) -> Array:
    """Values of samples [N, …] without offset and scale, float32 [N, at most 256]."""
    flat = scaled(np.asarray(numbers, np.float64).reshape(len(numbers), -1)).astype(np.float32)
    return _unit(area_means(flat[:, None], 1, VALUES)[:, 0] if flat.shape[1] > VALUES else flat)


def centred(ours: Array, theirs: Array) -> tuple[Array, Array]:
    """Both sets of descriptors less the mean of all, of length 1: what samples have in common tells none apart."""
    mean = np.concatenate([ours, theirs]).mean(axis=0)
    return _unit(ours - mean, centre=False), _unit(theirs - mean, centre=False)


def _unit(vectors: Array, centre: bool = True) -> Array:
    """Rows of length 1, less their mean if `centre`; zero where a row is constant, NaN or infinite."""
    vectors = np.asarray(vectors, np.float32)
    if not vectors.shape[1]:
        return np.zeros((len(vectors), 1), np.float32)
    vectors = np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, 0)
    if centre:
        vectors = vectors - vectors.mean(axis=1, keepdims=True)
    # Two steps, as the square of a large number is infinite.
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    vectors = vectors / np.where(largest > 0, largest, 1)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 1e-6, length, 1), np.float32)
