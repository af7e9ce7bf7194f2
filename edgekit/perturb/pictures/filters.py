"""Linear filters of pictures: convolution, blur and resampling, for N pictures at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.pictures.pixels import Pixels

TAPS = 60
"""Number of taps from which a convolution goes by Fourier's transform."""


def separable(pixels: Pixels, rows: Array, columns: Array) -> Pixels:
    """Apply matrices float64 [H', H] and [W', W] along height and width: [N, C, H', W']."""
    wide = pixels @ columns.T
    return np.ascontiguousarray((wide.swapaxes(2, 3) @ rows.T).swapaxes(2, 3))


def reflected(index: Array, size: int) -> Array:
    """Indices of any range, mirrored at the borders into 0 … size - 1, the border pixel once."""
    if size == 1:
        return np.zeros_like(index)
    period = 2 * size - 2
    inside = np.abs(index) % period
    return np.asarray(np.where(inside < size, inside, period - inside))


@cache
def gaussian_matrix(size: int, sigma: float) -> Array:
    """Matrix float64 [size, size] of a Gaussian blur along one axis, cut at four standard deviations."""
    radius = math.ceil(4 * sigma)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma * sigma))
    matrix = np.zeros((size, size))
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        np.add.at(matrix, (np.arange(size), reflected(np.arange(size) + offset, size)), weight)
    return matrix


def gaussian_blur(pixels: Pixels, sigma: float) -> Pixels:
    """Blur by a Gaussian of `sigma` pixels; below 0.1 nothing of it is seen."""
    if sigma < 0.1:
        return pixels
    height, width = pixels.shape[2:]
    return separable(pixels, gaussian_matrix(height, sigma), gaussian_matrix(width, sigma))


def zoom_matrix(size: int, factor: float) -> Array:
    """Matrix float64 [size, size] that enlarges the middle of an axis by `factor`, bilinearly."""
    centre = (size - 1) / 2
    return linear_matrix((np.arange(size) - centre) / factor + centre, size)


def linear_matrix(places: Array, size: int) -> Array:
    """Matrix float64 [n, size] that takes values between those of an axis at `places`, float64 [n]."""
    places = np.clip(places, 0, size - 1)
    low = np.minimum(places.astype(int), max(0, size - 2))
    share, rows = places - low, np.arange(len(places))
    matrix = np.zeros((len(places), size))
    np.add.at(matrix, (rows, low), 1 - share)
    np.add.at(matrix, (rows, np.minimum(low + 1, size - 1)), share)
    return matrix


def area_matrix(target: int, size: int) -> Array:
    """Matrix float64 [target, size] of means over equal parts of an axis; with more parts than pixels, it repeats."""
    edges = np.linspace(0, size, target + 1)
    low = np.maximum(edges[:-1, None], np.arange(size))
    high = np.minimum(edges[1:, None], np.arange(size) + 1)
    return np.asarray(np.maximum(0, high - low) * (target / size))


def convolve(pixels: Pixels, taps: Sequence[tuple[int, int, float]]) -> Pixels:
    """Sum of the picture moved by taps (down, right, weight), mirrored at the borders."""
    height, width = pixels.shape[2:]
    reach = max(max(abs(down), abs(right)) for down, right, _ in taps)
    rows, columns = (reflected(np.arange(-reach, size + reach), size) for size in (height, width))
    padded = pixels[:, :, rows][:, :, :, columns]
    if len(taps) > TAPS:
        return _by_fourier(padded, taps, reach)[:, :, reach : reach + height, reach : reach + width]
    total = np.zeros_like(pixels)
    for down, right, weight in taps:
        top, left = reach - down, reach - right
        total += weight * padded[:, :, top : top + height, left : left + width]
    return total


def _by_fourier(padded: Pixels, taps: Sequence[tuple[int, int, float]], reach: int) -> Pixels:
    kernel = np.zeros(padded.shape[2:])
    for down, right, weight in taps:
        kernel[down, right] += weight
    product = np.fft.rfft2(padded) * np.fft.rfft2(kernel)
    return np.asarray(np.fft.irfft2(product, s=padded.shape[2:]))


def values_at(pixels: Pixels, rows: Array, columns: Array) -> Pixels:
    """Values at places float64 [N, H, W] between the pixels, bilinear, mirrored at the borders."""
    count, channels, height, width = pixels.shape
    flat = pixels.reshape(count, channels, -1)
    top, left = np.floor(rows), np.floor(columns)
    total = np.zeros_like(flat)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = np.abs(1 - down - (rows - top)) * np.abs(1 - right - (columns - left))
        index = reflected(top.astype(int) + down, height) * width + reflected(left.astype(int) + right, width)
        total += np.take_along_axis(flat, index.reshape(count, 1, -1), 2) * weight.reshape(count, 1, -1)
    return total.reshape(pixels.shape)
