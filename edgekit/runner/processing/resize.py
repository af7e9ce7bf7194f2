"""Resize pictures of uint8 by a named kernel, in integers: the same bytes on every machine.

With antialias the kernel is widened by the reduction, its window ends at the edge of the picture, and coefficients
have 22 fractional bits, in a pass along rows and then one along columns, rounded to 8 bits in between: the method and
the bytes of Pillow up to 12. Pillow 13 takes the columns first where the height shrinks much more than the width.
Without antialias the kernel has a fixed width and the edge is repeated, with 11 bits: torch's `interpolate` and OpenCV,
half-pixel centres. The kernel `coverage` is OpenCV's for smaller pictures, with 22 bits and no rounding in between.

Sums are products of matrices of float64 that hold integers below 2 ** 53: they are exact in whatever order a machine
adds them up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SUPPORTS = {"bilinear": 1.0, "bicubic": 2.0, "area": 0.5}
"""Half the width of a kernel, in pixels of the larger picture."""
BLOCK = 16
"""Pixels that one product of matrices makes: more would multiply by more zeros, fewer would read pixels more often."""

PIECE = 1 << 19
"""Most values that are float64 at once: four megabytes, which caches hold."""


class Taps(NamedTuple):
    """Pixels that make each pixel of one axis: their indices and coefficients, int64 [length, taps]."""

    indices: Array
    coefficients: Array


def resize(pixels: Array, height: int, width: int, kernel: str, antialias: bool) -> Array:
    """Resize uint8 [H, W, C] to [height, width, C].

    nearest: the pixel in whose square the centre lies. bilinear: triangle. bicubic: Keys' cubic, a = -0.5 with
    antialias and -0.75 without. area: mean of the pixels whose centres a pixel covers, always with antialias. coverage:
    mean of what a pixel covers, of parts of pixels too, as OpenCV's INTER_AREA makes pictures smaller.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    if kernel == "nearest":
        rows, columns = (_centres(*sizes) for sizes in ((pixels.shape[0], height), (pixels.shape[1], width)))
        return np.ascontiguousarray(pixels[rows][:, columns])
    # Pillow rounds to 8 bits between the passes; the others do not.
    twice = kernel != "coverage" and (antialias or kernel == "area")
    bits = 22 if twice or kernel == "coverage" else 11
    across, down = (
        coverage_taps(*sizes, bits) if kernel == "coverage" else taps(*sizes, kernel, twice, bits)
        for sizes in ((pixels.shape[1], width), (pixels.shape[0], height))
    )
    values = _along_rows(pixels, across)
    sums = _along_columns(_rounded(values, bits) if twice else values, down)
    return _rounded(sums, bits if twice else 2 * bits)


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
    return _fixed_point(places, weights, length, bits)


def coverage_taps(length: int, new_length: int, bits: int) -> Taps:
    """Taps of the kernel `coverage`: the lengths of the parts of old pixels that lie in a new one."""
    starts = (np.arange(new_length) * (length / new_length))[:, None]
    places = np.floor(starts) + np.arange(math.ceil(length / new_length) + 1)
    ends = starts + length / new_length
    weights = np.maximum(np.minimum(places + 1, ends) - np.maximum(places, starts), 0.0)
    return _fixed_point(places, weights, length, bits)


def _fixed_point(places: Array, weights: Array, length: int, bits: int) -> Taps:
    # Sums one tap after the other: numpy's own order differs between machines.
    total = np.zeros(len(weights))
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
    """Apply taps to axis 1 of integers [H, W, C]: exact sums in fixed point, float64 [H, length, C]."""
    height, _, channels = values.shape
    sums = np.empty((height, len(along.indices), channels))
    for new, old, matrix in _blocks(along):
        for rows in _pieces(height, matrix.shape[1] * channels):
            planes = values[rows, old].transpose(2, 0, 1).astype(np.float64)
            sums[rows, new] = (planes @ matrix.T).transpose(1, 2, 0)
    return sums


def _along_columns(values: Array, along: Taps) -> Array:
    """Apply taps to axis 0 of integers [H, W, C]: exact sums in fixed point, float64 [length, W, C]."""
    height, width, channels = values.shape
    flat = values.reshape(height, width * channels)
    sums = np.empty((len(along.indices), width * channels))
    for new, old, matrix in _blocks(along):
        for columns in _pieces(width * channels, matrix.shape[1]):
            sums[new, columns] = matrix @ flat[old, columns].astype(np.float64)
    return sums.reshape(-1, width, channels)


def _pieces(length: int, width: int) -> Iterator[slice]:
    """Cut an axis of `length` lines of `width` values each into pieces that fit into memory as float64."""
    step = max(1, PIECE // width)
    return (slice(start, start + step) for start in range(0, length, step))


def _blocks(along: Taps) -> Iterator[tuple[slice, slice, Array]]:
    """Neighbouring pixels of the new axis, the old pixels that make them, and the matrix in between, float64."""
    for start in range(0, len(along.indices), BLOCK):
        new = slice(start, start + BLOCK)
        indices, coefficients = along.indices[new], along.coefficients[new]
        first, last = int(indices.min()), int(indices.max())
        matrix = np.zeros((len(indices), last + 1 - first))
        # Added, not set: beyond the edge its pixel counts for several taps.
        np.add.at(matrix, (np.arange(len(indices))[:, None], indices - first), coefficients)
        yield new, slice(first, last + 1), matrix


def _rounded(sums: Array, bits: int) -> Array:
    levels: Array = np.clip((sums.astype(np.int64) + (1 << (bits - 1))) >> bits, 0, 255).astype(np.uint8)
    return levels
