"""Conversion and clock of sensors: fewer bits, and steps that are not read when they should be."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws

BITS = (10, 8, 6, 5, 4)
"""Bits of the converter over the range of the set, by severity: from a microcontroller's to a coarse one."""
JITTERS = (0.1, 0.2, 0.3, 0.5, 1.0)
"""Standard deviation of the times of reading, in steps, by severity."""


def coarse(values: Array, severity: int, least: Array, most: Array) -> Array:
    """Round values, float64 [C, T], to the levels of a converter from `least` to `most` of each channel, [C].

    Levels are both ends and those between them at even distances. A channel of one value stays as it is.
    """
    step = ((most - least) / ((1 << BITS[severity - 1]) - 1))[:, None]
    safe = np.where(step > 0, step, 1.0)
    rounded = np.rint((values - least[:, None]) / safe) * safe + least[:, None]
    return np.where(step > 0, np.clip(rounded, least[:, None], most[:, None]), values)


def jitter(values: Array, severity: int, draws: Draws) -> Array:
    """Read values, float64 [C, T], at other times than stated, all channels at once, on lines between the steps."""
    last = values.shape[1] - 1
    steps = np.arange(values.shape[1]) + draws.normal(values.shape[1])[0].astype(np.float64) * JITTERS[severity - 1]
    steps = np.clip(steps, 0, last)
    before = np.minimum(steps.astype(np.int64), max(last - 1, 0))
    after = np.minimum(before + 1, last)
    share = steps - before
    read: Array = values[:, before] * (1 - share) + values[:, after] * share
    return read
