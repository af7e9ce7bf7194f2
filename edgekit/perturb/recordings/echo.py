"""Echo of a room: a synthetic impulse response, noise that decays by 60 dB in the reverberation time (RT60)."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws
from edgekit.perturb.recordings.exact_convolution import convolve
from edgekit.perturb.recordings.noise import mean_power

SECONDS = (0.25, 0.35, 0.5, 0.7, 1.0)
"""Reverberation time by severity. 0.25, 0.5 and 0.7 s are the rooms of the REVERB challenge (Kinoshita et al. 2013)."""
DIRECT_DB = (10, 6, 3, 0, -3)
"""Energy of the direct sound over that of the echo: a speaker who is near, to one beyond the critical distance, where
both are equal (Kuttruff, Room Acoustics)."""
FIRST_MS = 2
"""Delay of the first echo."""


def echo(wave: Array, severity: int, draws: Draws, rate: int) -> Array:
    """Place a wave, float64 [C, T] at `rate` samples a second, in a room; its power stays as it is.

    All channels have one impulse response, of a room of its own for each sample.
    """
    taps = impulse_response(severity, draws, rate)
    heard = np.stack([convolve(channel, taps) for channel in wave])
    before, after = mean_power(wave), mean_power(heard)
    if before == 0 or after == 0:
        return wave
    result: Array = heard * np.sqrt(before / after)
    return result


def impulse_response(severity: int, draws: Draws, rate: int) -> Array:
    """Impulse response of energy 1, float64: the direct sound, then normal noise under an exponential decay."""
    first = max(1, rate * FIRST_MS // 1000)
    places = np.arange(int(SECONDS[severity - 1] * rate)) + first
    decay = 10.0 ** (-3 * places / (SECONDS[severity - 1] * rate))
    tail = draws.normal(len(places))[0] * decay
    energy = float(np.cumsum(np.square(tail))[-1]) if len(tail) else 0.0
    share = 1 / (1 + 10 ** (DIRECT_DB[severity - 1] / 10))
    taps = np.zeros(first + len(places))
    taps[0] = np.sqrt(1 - share)
    if energy:
        taps[first:] = tail * np.sqrt(share / energy)
    return taps
