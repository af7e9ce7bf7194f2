"""Convolution that has the same bits on every machine, by a Fourier transform.

Both sides are rounded to whole multiples of a power of two. So the result is whole, too, and the error of the
transform, far below a half, goes when it is rounded: whatever order the machine adds in, the bits are these.
"""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array

WAVE_BITS, TAP_BITS = 18, 15
"""Binary places of the two sides. A block's error is below 2**(18 + 7 + 15 + 1 - 53 + 4), an eighth at most."""
BLOCK = 1 << 14
"""Samples of the wave that are transformed at once."""


def convolve(wave: Array, taps: Array) -> Array:
    """Convolve float64 [T], within -2 to 2, with float64 taps of total energy 2 at most: the first T of the result.

    Differs from the exact result by the rounding of both sides, some -100 dB of full scale.
    """
    signal = np.rint(wave * (1 << WAVE_BITS))
    kernel = np.rint(taps * (1 << TAP_BITS))[: len(wave)]
    size = 1 << (BLOCK + len(kernel)).bit_length()
    transform = np.fft.rfft(kernel, size)
    total = np.zeros(len(signal) + size)
    for begin in range(0, len(signal), BLOCK):
        block = np.fft.irfft(np.fft.rfft(signal[begin : begin + BLOCK], size) * transform, size)
        total[begin : begin + size] += np.rint(block)
    return total[: len(signal)] / (1 << (WAVE_BITS + TAP_BITS))
