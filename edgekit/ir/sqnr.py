"""How far two arrays are apart, in the one unit used from the first pass to the last comparison."""

from __future__ import annotations

import math

import numpy as np

from edgekit.ir.measurement import Array

FLOAT_DB = 60.0
"""The least that two ways of computing one network in float32 may be apart: kernels of all backends are 100 to 140 dB
from torch, and what is below 60 dB is another function."""


def sqnr_db(reference: Array, candidate: Array) -> float:
    """Signal to quantization noise, in dB.

    Infinite when equal, minus infinite when only the reference is zero, NaN where either is not finite.
    """
    expected, got = reference.astype(np.float64), candidate.astype(np.float64)
    signal, noise = float(np.square(expected).sum()), float(np.square(expected - got).sum())
    if not math.isfinite(signal) or not math.isfinite(noise):
        return math.nan
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf
