"""Signal to quantization noise ratio (SQNR) of two arrays, used by all passes and comparisons."""

from __future__ import annotations

import math

import numpy as np

from edgekit.ir.measurement import Array

FLOAT_DB = 60.0
"""Least SQNR, in dB, of two float32 computations of one network.

Kernels of all backends reach 100 to 140 dB against torch; below 60 dB it is another function.
"""


def sqnr_db(reference: Array, candidate: Array) -> float:
    """Signal to quantization noise, in dB.

    Infinite if both are equal, minus infinity if only the reference is zero, NaN if either is not finite.
    """
    expected, got = reference.astype(np.float64), candidate.astype(np.float64)
    signal, noise = float(np.square(expected).sum()), float(np.square(expected - got).sum())
    if not math.isfinite(signal) or not math.isfinite(noise):
        return math.nan
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf
