"""Noise of sensors: Gaussian, shot and impulse."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws
from edgekit.perturb.pictures.pixels import Pixels

QUANTILES = 4096
"""Different counts of photons that one level may give."""
LEVELS = 255


def gaussian_noise(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Add normal noise; parameters: its standard deviation."""
    return pixels + parameters[0] * draws.normal(pixels[0].size).reshape(pixels.shape)


def shot_noise(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Count photons (Poisson); parameters: photons of white."""
    table = _poisson_quantiles(parameters[0])
    levels = np.clip(np.rint(pixels * LEVELS), 0, LEVELS).astype(int)
    quantiles = draws.integers(pixels[0].size, QUANTILES).reshape(pixels.shape)
    return np.asarray(table[levels, quantiles] / parameters[0])


def impulse_noise(pixels: Pixels, parameters: tuple[float, ...], draws: Draws) -> Pixels:
    """Make values black or white, each by the same chance; parameters: share of such values."""
    chance = draws.uniform(pixels[0].size).reshape(pixels.shape)
    share = parameters[0]
    return np.where(chance < share / 2, 0.0, np.where(chance > 1 - share / 2, 1.0, pixels))


def _poisson_quantiles(photons: float) -> Array:
    """Counts float64 [LEVELS + 1, QUANTILES] of each level of grey, at the middles of equal parts."""
    means = np.arange(LEVELS + 1) / LEVELS * photons
    counts = np.arange(int(photons + 10 * np.sqrt(photons) + 20))
    logarithms = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, len(counts))))))
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    table = np.zeros((LEVELS + 1, QUANTILES))
    for level in range(1, LEVELS + 1):
        chances = np.exp(counts * np.log(means[level]) - means[level] - logarithms)
        table[level] = np.searchsorted(np.cumsum(chances), middles)
    return table
