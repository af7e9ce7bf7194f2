"""Shifts in time: recordings that begin earlier or later, and frames that begin elsewhere in them."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws

MILLISECONDS = (10, 20, 50, 100, 200)
"""Shift by severity. 100 ms is what TensorFlow's speech_commands trains with (Warden 2018)."""
HOPS = (0.25, 0.5, 1, 2, 4)
"""Shift in hops of the frames by severity: below one hop the frames cut the recording elsewhere."""
HOP_MS = 10
"""Hop of common front ends (ETSI ES 201 108), where the project states none."""


def time_shift(wave: Array, severity: int, draws: Draws, rate: int) -> Array:
    """Shift a wave, float64 [C, T] at `rate` samples a second, to either side, with silence behind it.

    By half of its length at most.
    """
    steps = rate * MILLISECONDS[severity - 1] // 1000
    return delayed(wave, steps if draws.integers(1, 2)[0, 0] else -steps)


def frame_shift(wave: Array, severity: int, rate: int, hop: int | None) -> Array:
    """Delay a wave, float64 [C, T], by a part of a hop, or some hops; hop: in samples, None for 10 ms."""
    return delayed(wave, round(HOPS[severity - 1] * (hop or max(1, rate * HOP_MS // 1000))))


def delayed(values: Array, steps: int, held: bool = False) -> Array:
    """Delay values [C, T] by a number of steps, by half of them at most; negative numbers bring them forward.

    held: the value at the end is held; else zeros come in.
    """
    length = values.shape[1]
    steps = int(np.clip(steps, -(length // 2), length // 2))
    places = np.arange(length) - steps
    inside = np.clip(places, 0, max(length - 1, 0))
    moved: Array = values[:, inside]
    return moved if held else np.where((places >= 0) & (places < length), moved, 0.0)
