"""Weights of the Llama architecture drawn at random, for speed and memory: they write no text."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

SIZES = {"100m": (768, 2048, 12, 12, 4, 32_000, 512), "1m": (128, 352, 4, 8, 4, 1024, 128)}
"""Width, hidden width, layers, heads, heads of keys, vocabulary and places, by the number of parameters."""


def write_random(folder: Path, parameters: str) -> Path:
    """Write a version-0 export (see `tests/stories_project`), as large as `SIZES` says. Returns its path.

    Products are scaled by the root of their inputs, so that answers neither vanish nor grow with depth.
    """
    size, hidden, layers, heads, groups, vocabulary, _ = sizes = SIZES[parameters]
    cached, random = groups * size // heads, np.random.default_rng(0)
    path = folder / f"random-{parameters}.bin"
    with path.open("wb") as file:
        file.write(struct.pack("7i", *sizes))
        random.standard_normal((vocabulary, size), np.float32).tofile(file)
        for rows, columns in _stacked(size, hidden, cached):
            for _ in range(layers):
                drawn = random.standard_normal((rows, columns), np.float32) / np.float32(columns**0.5)
                (drawn if rows > 1 else np.ones_like(drawn)).tofile(file)
        np.ones(size, np.float32).tofile(file)
    return path


def _stacked(size: int, hidden: int, cached: int) -> list[tuple[int, int]]:
    """Shapes of a layer's weights in the order of the file; a norm is one row."""
    attention = [(1, size), (size, size), (cached, size), (cached, size), (size, size)]
    return [*attention, (1, size), (hidden, size), (size, hidden), (hidden, size)]
