"""Resize pictures of uint8 by a named kernel, in integers: the same bytes on every machine.

With antialias the kernel is widened by the reduction, its window ends at the edge of the picture, and coefficients
have 22 fractional bits, in a pass along rows and one along columns: the method of Pillow. Without antialias the kernel
has a fixed width and the edge is repeated, with 11 bits: torch's `interpolate` and OpenCV, half-pixel centres.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SUPPORTS = {"bilinear": 1.0, "bicubic": 2.0, "area": 0.5}
"""Half the width of a kernel, in pixels of the larger picture."""


class Taps(NamedTuple):
    """Pixels that make each pixel of one axis: their indices and coefficients, int64 [length, taps]."""

    indices: Array
    coefficients: Array


def resize(pixels: Array, height: int, width: int, kernel: str, antialias: bool) -> Array:
    """Resize uint8 [H, W, C] to [height, width, C].

    nearest: the pixel in whose square the centre lies. bilinear: triangle. bicubic: Keys' cubic, a = -0.5 with
    antialias and -0.75 without. area: mean of what a pixel covers, always with antialias.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    if kernel == "nearest":
        rows, columns = (_centres(*sizes) for sizes in ((pixels.shape[0], height), (pixels.shape[1], width)))
        return np.ascontiguousarray(pixels[rows][:, columns])
    widened = antialias or kernel == "area"
    # Pillow rounds to 8 bits between the passes; the others do not.
    bits = 22 if widened else 11
    across = _along_rows(pixels, taps(pixels.shape[1], width, kernel, widened, bits))
    values = _rounded(across, bits) if widened else across
    down = _along_rows(values.transpose(1, 0, 2), taps(pixels.shape[0], height, kernel, widened, bits))
    return np.ascontiguousarray(_rounded(down, bits if widened else 2 * bits).transpose(1, 0, 2))


def taps(length: int, new_length: int, kernel: str, widened: bool, bits: int) -> Taps:
    """Indices and coefficients, `bits` of them fractional, for an axis of `length` pixels that becomes `new_length`.

    widened: whether the kernel is as wide as the reduction, and cut off at the edges.
    """
    scale = length / new_length
    stretch = max(scale, 1.0) if widened else 1.0
    support = SUPPORTS[kernel] * stretch
    centres = (np.arange(new_length) + 0.5) * scale
    first = np.floor(centres - support + 0.5)
    places = (np.maximum(first, 0) if widened else first)[:, None] + np.arange(2 * math.ceil(support) + 1)
    weights = _weights((places + 0.5 - centres[:, None]) / stretch, kernel, -0.5 if widened else -0.75)
    if widened:
        ends = np.minimum(np.floor(centres + support + 0.5), length)[:, None]
        weights = np.where(places < ends, weights, 0.0)
    # Sums one tap after the other: numpy's own order differs between machines.
    total = np.zeros(new_length)
    for column in weights.T:
        total += column
    exact = weights / total[:, None] * (1 << bits)
    rounded = np.where(exact < 0, np.ceil(exact - 0.5), np.floor(exact + 0.5)).astype(np.int64)
    return Taps(np.clip(places, 0, length - 1).astype(np.int64), rounded)


def _weights(distances: Array, kernel: str, a: float) -> Array:
    x = np.abs(distances)
    if kernel == "bilinear":
        return np.maximum(1.0 - x, 0.0)
    if kernel == "area":
        return ((distances > -0.5) & (distances <= 0.5)).astype(np.float64)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _centres(length: int, new_length: int) -> Array:
    return np.minimum(((np.arange(new_length) + 0.5) * (length / new_length)).astype(np.int64), length - 1)


def _along_rows(values: Array, along: Taps) -> Array:
    """Apply taps to axis 1 of integers [H, W, C]: sums in fixed point, int64."""
    total = np.zeros((values.shape[0], len(along.indices), values.shape[2]), np.int64)
    for indices, coefficients in zip(along.indices.T, along.coefficients.T):
        if coefficients.any():
            total += values[:, indices].astype(np.int64) * coefficients[None, :, None]
    return total


def _rounded(sums: Array, bits: int) -> Array:
    levels: Array = np.clip((sums + (1 << (bits - 1))) >> bits, 0, 255).astype(np.uint8)
    return levels
