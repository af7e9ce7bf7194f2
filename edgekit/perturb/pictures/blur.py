"""Blur: out of focus, through frosted glass, by motion, and by zooming."""

from __future__ import annotations

import math

import numpy as np

from edgekit.perturb.draws import Draws
from edgekit.perturb.pictures.filters import convolve, gaussian_blur, separable, zoom_matrix
from edgekit.perturb.pictures.pixels import Pixels

ANGLES = 16
"""Number of directions of motion: pictures that share one are blurred at once."""
LEAST = 1e-3
"""Smallest weight of a tap, relative to the largest."""


def defocus_blur(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Spread each point over a disk; parameters: its radius in pixels, and the softness of its rim."""
    radius, softness = parameters
    reach = math.ceil(radius) + 2
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (rows**2 + columns**2 <= radius**2).astype(np.float64)
    soft = gaussian_blur(disk[None, None] / disk.sum(), softness)[0, 0]
    kept = soft >= LEAST * soft.max()
    taps = [(int(a), int(b), float(w)) for a, b, w in zip(rows[kept], columns[kept], soft[kept], strict=True)]
    total = sum(weight for *_, weight in taps)
    return convolve(pixels, [(down, right, weight / total) for down, right, weight in taps])


def glass_blur(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Swap pixels with near ones between two blurs; parameters: sigma, reach in pixels, rounds of swaps."""
    sigma, reach, rounds = parameters[0], max(1, round(parameters[1])), max(1, round(parameters[2]))
    blurred = gaussian_blur(pixels, sigma)
    count, channels, height, width = blurred.shape
    inner = [
        (row, column)
        for row in range(height - reach - 1, reach - 1, -1)
        for column in range(width - reach - 1, reach - 1, -1)
    ]
    moves = draws.integers(2 * rounds * len(inner), 2 * reach).T.reshape(rounds, len(inner), 2, count) - reach
    places = np.repeat(np.arange(height * width)[:, None], count, 1)
    samples = np.arange(count)
    for swaps in moves:
        for (row, column), (down, right) in zip(inner, swaps, strict=True):
            here = row * width + column
            there = here + down * width + right
            other = places[there, samples]
            places[there, samples] = places[here]
            places[here] = other
    swapped = np.take_along_axis(blurred.reshape(count, channels, -1), places.T[:, None], 2)
    return gaussian_blur(swapped.reshape(blurred.shape), sigma)


def motion_blur(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Smear along a line of any direction to the right; parameters: length over two, and sigma, in pixels."""
    return smeared(pixels, parameters[0], parameters[1], -45.0, 45.0, draws)


def smeared(pixels: Pixels, radius: float, sigma: float, least: float, most: float, draws: Draws) -> Pixels:
    """Smear along a line whose direction is between two angles in degrees, 0 to the right and 90 down."""
    chosen = draws.other("angle").integers(1, ANGLES)[:, 0]
    result = np.empty_like(pixels)
    for k in np.unique(chosen):
        angle = math.radians(least + (k + 0.5) * (most - least) / ANGLES)
        taps: dict[tuple[int, int], float] = {}
        for i in range(2 * round(radius) + 1):
            weight = math.exp(-(i * i) / (2 * sigma * sigma))
            place = (round(i * math.sin(angle)), round(i * math.cos(angle)))
            if weight >= LEAST:
                taps[place] = taps.get(place, 0.0) + weight
        total = sum(taps.values())
        mine = chosen == k
        result[mine] = convolve(pixels[mine], [(*place, weight / total) for place, weight in taps.items()])
    return result


def zoom_blur(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Mean of the picture and enlargements of its middle; parameters: the largest factor, and the step between them."""
    largest, step = parameters
    height, width = pixels.shape[2:]
    factors = 1 + step * np.arange(round((largest - 1) / step))
    total = pixels.copy()
    for factor in factors:
        total += separable(pixels, zoom_matrix(height, float(factor)), zoom_matrix(width, float(factor)))
    return total / (len(factors) + 1)
