"""Resampling of audio by a polyphase filter: the same values on every machine.

The filter is that of SciPy's `signal.resample_poly`: a windowed sinc (Crochiere and Rabiner, Multirate Digital Signal
Processing, 1983) with a Kaiser window of beta 5, ten zero crossings of the lower rate on each side. Its coefficients
are rounded to 30 binary places. So products with samples of 16 bits are whole, and their sums exact, in whatever order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RunnerError

Array = npt.NDArray[Any]
BETA = 5.0
CROSSINGS = 10
PLACES = 1 << 30
WIDEST = 1 << 16
"""Largest term of the ratio of two rates, in lowest terms: filters of more would take too much memory."""


def resample(wave: Array, old: int, new: int) -> Array:
    """Resample float64 [samples] from one rate to another: float64 [ceil(samples * new / old)].

    Raises RunnerError (data) for rates whose ratio is no ratio of small numbers.
    """
    up, down = ratio(old, new)
    if up == down:
        return wave
    phases, half = _phases(up, down)
    count = -(-len(wave) * up // down)
    places = np.arange(count, dtype=np.int64) * down + half
    newest, phase = places // up, places % up
    taps = phases.shape[1]
    padded = np.concatenate([np.zeros(taps), wave, np.zeros(taps + half // up + 1)])
    result = np.zeros(count)
    for tap in range(taps):
        # One product and one sum at a time: a product of matrices may add in another order elsewhere.
        result += phases[phase, tap] * padded[newest - tap + taps]
    return result


def ratio(old: int, new: int) -> tuple[int, int]:
    """Factors up and down between two rates, in lowest terms. Raises RunnerError (data)."""
    common = math.gcd(old, new)
    up, down = new // common, old // common
    if max(up, down) > WIDEST:
        raise RunnerError("data", f"{old} Hz cannot be resampled to {new} Hz: the ratio is {up} to {down}")
    return up, down


def _phases(up: int, down: int) -> tuple[Array, int]:
    """Coefficients [up, taps], one row a phase, and half the length of the filter."""
    widest = max(up, down)
    half = CROSSINGS * widest
    places = np.arange(-half, half + 1)
    taps = np.sinc(places / widest) * np.kaiser(2 * half + 1, BETA)
    taps = np.rint(taps / taps.sum() * up * PLACES) / PLACES
    columns = -(-len(taps) // up)
    filled = np.zeros(columns * up)
    filled[: len(taps)] = taps
    return filled.reshape(columns, up).T, half
