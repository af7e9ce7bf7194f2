"""Textured pictures, and copies of them as they leak from one set into another."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from edgekit.ir.measurement import Array


def textured(count: int, seed: int, side: int = 32) -> Array:
    """Pictures uint8 [N, side, side, 3] of smooth random texture, each of its own."""
    random = np.random.default_rng(seed)
    grain = random.normal(0, 1, (count, side, side, 1)) + 0.3 * random.normal(0, 1, (count, side, side, 3))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]) + 0.03
    shaped = np.fft.ifft2(np.fft.fft2(grain, axes=(1, 2)) / frequency[None, :, :, None] ** 1.2, axes=(1, 2)).real
    shaped /= np.abs(shaped).max(axis=(1, 2, 3), keepdims=True)
    return (127 + 120 * shaped).astype(np.uint8)


def recompressed(pictures: Array, quality: int = 60) -> Array:
    """The pictures, written as JPEG and read again."""
    made = np.empty_like(pictures)
    for i, picture in enumerate(pictures):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        made[i] = np.asarray(Image.open(file))
    return made


def shifted(pictures: Array, down: int = 2, right: int = 1) -> Array:
    """The pictures, moved, with the edge continued."""
    padded = np.pad(pictures, ((0, 0), (down, 0), (right, 0), (0, 0)), mode="edge")
    return padded[:, : pictures.shape[1], : pictures.shape[2]]
