"""Telephone: the band of a line, and from the third severity on the 8 bits of its coding."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.recordings.exact_convolution import convolve

BANDS_HZ = ((50, 7000), (200, 5000), (300, 3400), (300, 3400), (500, 2000))
"""Passed band by severity: wideband telephony (ITU-T G.722), between the two, the plain line (ITU-T G.712) without and
with coding, and a poor one, two octaves wide. At lower rates the band ends at half the rate."""
CODED_FROM = 4
"""Severity from which the wave is coded in 8 bits (ITU-T G.711, mu-law)."""
SLOPE = 3.3
"""Width of a Hamming window's transition band, in rates over taps (Oppenheim & Schafer, Discrete-Time Signal
Processing)."""
LONGEST = 4095
BIAS, LARGEST = 33, 8158
"""Offset of the segments of G.711's mu-law on its scale of 14 bits, and the largest level before it is added."""


def telephone(wave: Array, severity: int, rate: int) -> Array:
    """Pass a wave, float64 [C, T] within -1 to 1, at `rate` samples a second through a telephone line.

    The delay of the filter is taken out: what was at a place stays there.
    """
    low, high = BANDS_HZ[severity - 1]
    taps = band_pass(rate, low, high)
    half = len(taps) // 2
    padded = np.pad(wave, ((0, 0), (0, half)))
    passed = np.stack([convolve(channel, taps)[half:] for channel in padded])
    return companded(passed) if severity >= CODED_FROM else passed


@lru_cache(maxsize=16)
def band_pass(rate: int, low: int, high: int) -> Array:
    """Taps of a linear-phase band pass, a sinc in a Hamming window, that passes from `low` to `high` Hz at a rate.

    Only a high pass where `high` is not below half the rate.
    """
    half = min(LONGEST, int(SLOPE * rate / low)) // 2
    places = np.arange(-half, half + 1)
    window = 0.54 + 0.46 * np.cos(np.pi * places / max(half, 1))
    below = 2 * low / rate * np.sinc(2 * low / rate * places)
    above = 2 * high / rate * np.sinc(2 * high / rate * places) if 2 * high < rate else (places == 0).astype(float)
    taps: Array = (above - below) * window
    taps.flags.writeable = False
    return taps


def companded(wave: Array) -> Array:
    """Code a wave, within -1 to 1, in 8 bits of G.711's mu-law, and decode it: the nearest of its 255 levels."""
    level = np.minimum(np.rint(np.abs(wave) * 8192), LARGEST).astype(np.int64) + BIAS
    # Segment: 0 where the biased level has 6 bits, to 7 for 13; a step is 2 in the first, and twice as wide in each.
    segment = np.frexp(level.astype(np.float64))[1] - 6
    step = np.left_shift(2, segment)
    decoded = level // step * step + step // 2 - BIAS
    result: Array = np.sign(wave) * decoded / 8192
    return result
