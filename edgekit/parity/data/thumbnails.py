"""Grey thumbnails of pictures, their details, and two perceptual hashes of them: dHash and pHash, 64 bits each."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.data.sample_kind import picture_layout

SIDE = 32
"""Rows and columns of a thumbnail."""
MARGIN = 2
"""Rows and columns that a zoom cuts off each side: what remains is shown an eighth larger."""
BLOCK = 256
"""Pictures that are in memory as float at a time."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


def thumbnails(pictures: Array) -> Array:
    """Grey thumbnails float32 [N, 32, 32] of pictures [N, H, W], [N, H, W, C] or [N, C, H, W], by means of areas.

    A thumbnail of a picture with NaN or infinite values is zero.
    """
    made = np.empty((len(pictures), SIDE, SIDE), np.float32)
    layout = picture_layout(pictures)
    for start in range(0, len(pictures), BLOCK):
        block = np.asarray(pictures[start : start + BLOCK], np.float32)
        block = np.where(np.isfinite(block).all(axis=tuple(range(1, block.ndim)), keepdims=True), block, 0)
        if layout == "CHW":
            block = np.moveaxis(block, 1, -1)
        grey = block if layout == "HW" else block[..., 0] if block.shape[-1] == 1 else block[..., :3] @ LUMA
        made[start : start + BLOCK] = area_means(grey, SIDE, SIDE)
    return made


def zoomed(thumbnail: Array) -> Array:
    """The middle of thumbnails [N, 32, 32], an eighth larger, of the same size."""
    return area_means(thumbnail[:, MARGIN:-MARGIN, MARGIN:-MARGIN], SIDE, SIDE)


def details(thumbnail: Array) -> Array:
    """Details of thumbnails [N, 32, 32]: means of 3 x 3 less means of 9 x 9, float16 of length 1 each.

    Sky above sea looks like any other in its means; its details do not. Zero for a picture of one colour.
    """
    made = np.empty(thumbnail.shape, np.float16)
    for start in range(0, len(thumbnail), BLOCK):
        block = thumbnail[start : start + BLOCK]
        band = _box(block, 1) - _box(block, 4)
        length = np.sqrt((band * band).sum(axis=(1, 2), keepdims=True))
        made[start : start + BLOCK] = band / np.where(length > 1e-3 * np.abs(block).max(initial=1e-9), length, np.inf)
    return made


def area_means(images: Array, rows: int, columns: int) -> Array:
    """Means of `images` [N, H, W] over rows x columns areas of equal size, float32 [N, rows, columns]."""
    return np.asarray(_means(images.shape[1], rows) @ images @ _means(images.shape[2], columns).T)


def difference_hash(thumbnail: Array) -> Array:
    """DHash of thumbnails [N, 32, 32], uint64 [N]: is each of 8 x 8 areas darker than the one to its right?"""
    small = area_means(thumbnail, 8, 9)
    return _bits(small[:, :, 1:] > small[:, :, :-1])


def perceptual_hash(thumbnail: Array) -> Array:
    """PHash of thumbnails [N, 32, 32], uint64 [N]: is each of the 8 x 8 lowest frequencies (DCT) above their median?

    The mean brightness is no part of the median, so that the hash stays as it is if the picture becomes brighter.
    """
    k = np.arange(SIDE)
    cosines = np.cos(np.pi * (k[None] + 0.5) * k[:8, None] / SIDE).astype(np.float32)
    frequencies = (cosines @ thumbnail @ cosines.T).reshape(len(thumbnail), 64)
    return _bits(frequencies > np.median(frequencies[:, 1:], axis=1, keepdims=True))


def _bits(flags: Array) -> Array:
    return np.packbits(flags.reshape(len(flags), 64), axis=1).view(np.uint64)[:, 0]


def _means(size: int, parts: int) -> Array:
    """Matrix float32 [parts, size] that takes means over stretches of equal length, with shares of cut values."""
    edges = np.linspace(0, size, parts + 1)
    places = np.arange(size)
    overlap = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    weights = np.clip(overlap, 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _box(images: Array, reach: int) -> Array:
    """Means over squares of 2 * reach + 1 pixels, of images [N, H, W]; the edge is continued outwards."""
    windows = np.eye(SIDE + 2 * reach, dtype=np.float32)
    rows = sum(windows[k : k + SIDE] for k in range(2 * reach + 1)) / (2 * reach + 1)
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    return np.asarray(rows @ padded @ np.asarray(rows).T)
