"""Errors of sensors: offset, drift and noise, in standard deviations of a channel over the set."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws

OFFSETS = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Offset, or drift by the end of a sample, by severity: from what calibration leaves to what it is there to find."""
NOISES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Standard deviation of the noise by severity: each 6 dB more than the one before, from 26 to 2 dB below the signal."""


def bias(values: Array, severity: int, draws: Draws, deviations: Array) -> Array:
    """Offset every channel of values, float64 [C, T], to a side of its own. deviations: of the channels, [C]."""
    result: Array = values + (_sides(values, draws) * deviations * OFFSETS[severity - 1])[:, None]
    return result


def drift(values: Array, severity: int, draws: Draws, deviations: Array) -> Array:
    """Add an offset that grows evenly from 0 at the first step to its whole at the last."""
    grown = np.arange(values.shape[1]) / max(1, values.shape[1] - 1)
    result: Array = values + (_sides(values, draws) * deviations * OFFSETS[severity - 1])[:, None] * grown
    return result


def noise(values: Array, severity: int, draws: Draws, deviations: Array) -> Array:
    """Add normal noise to every value."""
    drawn = draws.normal(values.size).reshape(values.shape).astype(np.float64)
    result: Array = values + drawn * (deviations * NOISES[severity - 1])[:, None]
    return result


def _sides(values: Array, draws: Draws) -> Array:
    sides: Array = 2 * draws.other("sides").integers(len(values), 2)[0] - 1
    return sides
