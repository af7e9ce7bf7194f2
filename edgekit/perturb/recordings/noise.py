"""Noise in recordings, at a ratio of signal to noise: white, pink, and babble of the set's other recordings.

Ratios are those of Aurora-2 (Hirsch & Pearce, The Aurora experimental framework, 2000): 20, 15, 10, 5 and 0 dB.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws

RATIOS_DB = (20, 15, 10, 5, 0)
"""Ratio of the recording's power to that of the noise, by severity."""
OCTAVES = 14
"""Octaves over which pink noise falls: at 16 kHz down to 1 Hz."""
VOICES = 5
"""Recordings of the set that babble is the sum of, where it has as many: the middle of the 3 to 7 of Kaldi's recipes
with MUSAN (Snyder et al. 2015)."""


def white_noise(wave: Array, draws: Draws) -> Array:
    """Draw noise of the same power at all frequencies, of the shape of a wave [C, T]."""
    return draws.normal(wave.size).reshape(wave.shape).astype(np.float64)


def pink_noise(wave: Array, draws: Draws) -> Array:
    """Draw noise that falls by 3 dB an octave, as rooms, winds and streets have it, of the shape of a wave [C, T].

    It is the sum of white noises that are held for 1, 2, 4, … samples (Voss & McCartney; Gardner 1978).
    """
    noise = white_noise(wave, draws)
    count = wave.shape[1]
    for octave in range(1, OCTAVES + 1):
        held = 1 << octave
        own = draws.other(f"octave {octave}")
        steps = own.normal(len(wave) * (count // held + 2)).reshape(len(wave), -1)
        begin = int(own.other("begin").integers(1, held)[0, 0])
        noise += np.repeat(steps, held, axis=1)[:, begin : begin + count]
    return noise


def babble(wave: Array, draws: Draws, others: Sequence[Array]) -> Array:
    """Sum other recordings, float64 [C, T'] each, at equal powers and from random places on, to the shape of a wave.

    Zeros where all others are silent.
    """
    noise = np.zeros_like(wave)
    for voice, other in enumerate(others):
        loudness = mean_power(other)
        if loudness == 0:
            continue
        begin = draws.other(f"voice {voice}").integers(1, other.shape[1])[0, 0]
        places = np.arange(begin, begin + wave.shape[1])
        noise += np.take(other, places, axis=1, mode="wrap") / np.sqrt(loudness)
    return noise


def mixed(wave: Array, noise: Array, severity: int, power: float) -> Array:
    """Add noise to a wave, float64 [C, T], at the ratio of the severity.

    power: mean power of the set, which noise is held against where the wave itself is silent.
    """
    loudness, noise_power = mean_power(wave) or power, mean_power(noise)
    if loudness == 0 or noise_power == 0:
        return wave
    # Rounded, as the last bit of a power differs between C libraries.
    share = round(10 ** (-RATIOS_DB[severity - 1] / 20), 12)
    result: Array = wave + noise * (share * np.sqrt(loudness / noise_power))
    return result


def mean_power(wave: Array) -> float:
    """Mean of the squares; 0 for no samples. Summed in order, so that it has the same bits everywhere."""
    return float(np.cumsum(np.square(wave.ravel()))[-1] / wave.size) if wave.size else 0.0
