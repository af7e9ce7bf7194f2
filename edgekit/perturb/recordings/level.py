"""Level of recordings: quieter ones, and ones that a recorder has clipped."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array

ATTENUATIONS_DB = (6, 12, 18, 24, 30)
"""Attenuations by severity: a source at 2, 4, 8, 16 and 32 times the distance (6 dB a doubling, in the open)."""
CLIPPED_SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Share of the samples that are clipped, by severity. 40 % is where audiomentations' ClippingDistortion ends."""


def gain(wave: Array, severity: int) -> Array:
    """Attenuate a wave, float64."""
    result: Array = wave * round(10 ** (-ATTENUATIONS_DB[severity - 1] / 20), 12)
    return result


def clipping(wave: Array, severity: int) -> Array:
    """Clip a wave, float64, at the level that the share of its samples is above."""
    if not wave.size:
        return wave
    levels = np.sort(np.abs(wave), axis=None)
    limit = levels[min(levels.size - 1, int(levels.size * (1 - CLIPPED_SHARES[severity - 1])))]
    return np.clip(wave, -limit, limit)
