"""Weather and light: snow, frost, fog, brightness. No photograph is used: textures are fractals, drawn a sample."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws
from edgekit.perturb.pictures.blur import smeared
from edgekit.perturb.pictures.filters import separable, zoom_matrix
from edgekit.perturb.pictures.pixels import Pixels

ICE = (0.82, 0.91, 1.0)
"""Red, green and blue of ice."""
FROST_DECAY = 1.9
"""Roughness of frost: amplitude of its fractal from one scale to the next finer, as a divisor."""


def snow(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Flakes that fall, over a paler picture.

    parameters: mean and deviation of the flakes, their size, the threshold below which there are none, length over two
    and sigma of their fall, and the share of the picture that stays as it is.
    """
    mean, deviation, size, threshold, radius, sigma, stays = parameters
    height, width = pixels.shape[2:]
    noise = mean + deviation * draws.normal(height * width).reshape(len(pixels), 1, height, width).astype(np.float64)
    flakes = separable(noise, zoom_matrix(height, size), zoom_matrix(width, size))
    flakes = np.clip(np.where(flakes < threshold, 0.0, flakes), 0, 1)
    flakes = smeared(flakes, radius, sigma, 45.0, 135.0, draws)
    grey = pixels.mean(1, keepdims=True)
    paler = stays * pixels + (1 - stays) * np.maximum(pixels, grey * 1.5 + 0.5)
    return np.asarray(paler + flakes + flakes[:, :, ::-1, ::-1])


def frost(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Ice on the lens: ridges of a fractal in pale blue; parameters: share of the picture, and of the ice."""
    ridges = 1 - np.abs(2 * plasma(draws, pixels.shape[2], pixels.shape[3], FROST_DECAY) - 1)
    ice = 0.25 + 0.75 * ridges[:, None] ** 3
    tint = np.array(ICE)[:, None, None] if pixels.shape[1] == 3 else np.array(ICE).mean()
    return np.asarray(parameters[0] * pixels + parameters[1] * ice * tint)


def fog(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Haze of a fractal, with the contrast scaled down for it; parameters: its strength, and the fractal's decay."""
    strength, decay = parameters
    most = pixels.max((1, 2, 3), keepdims=True)
    haze = plasma(draws, pixels.shape[2], pixels.shape[3], decay)[:, None]
    return np.asarray((pixels + strength * haze) * most / (most + strength))


def brightness(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Raise the value of HSV, so that hue and saturation stay; parameters: by how much."""
    value = pixels.max(1, keepdims=True)
    raised = np.minimum(1, value + parameters[0])
    return np.asarray(np.where(value > 0, pixels * (raised / np.maximum(value, 1e-12)), raised))


def plasma(draws: Draws, height: int, width: int, decay: float) -> Array:
    """Fractal float64 [N, height, width] in [0, 1] by midpoint displacement (diamond-square; Fournier et al. 1982).

    decay: from one scale to the next finer the amplitude is divided by its square.
    """
    size = 1 << max(1, (max(height, width) - 1).bit_length())
    noise = 2 * draws.other("plasma").uniform(size * size).astype(np.float64) - 1
    field, used, amplitude, step = np.zeros((len(draws), size, size)), 0, 1.0, size

    def jitter(places: int) -> Array:
        nonlocal used
        used += places * places
        return amplitude * noise[:, used - places * places : used].reshape(-1, places, places)

    while step >= 2:
        places, half = size // step, step // 2
        corner = field[:, ::step, ::step]
        right, below = np.roll(corner, -1, 2), np.roll(corner, -1, 1)
        centre = (corner + right + below + np.roll(right, -1, 1)) / 4 + jitter(places)
        field[:, half::step, half::step] = centre
        field[:, ::step, half::step] = (corner + right + centre + np.roll(centre, 1, 1)) / 4 + jitter(places)
        field[:, half::step, ::step] = (corner + below + centre + np.roll(centre, 1, 2)) / 4 + jitter(places)
        amplitude, step = amplitude / decay**2, half
    field = field[:, :height, :width]
    field = field - field.min((1, 2), keepdims=True)
    return np.asarray(field / np.maximum(field.max((1, 2), keepdims=True), 1e-12))
