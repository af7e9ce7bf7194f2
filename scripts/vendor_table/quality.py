"""SQNR of two files on the same samples, and the interval of its difference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgekit.ir.measurement import Array

RESAMPLES = 1000


def sqnr_of(reference: Sequence[Array], outputs: Sequence[Array]) -> float | None:
    """SQNR of the worst output, in dB; None if all are equal. Arrays are [N, …]."""
    quality_db = float(_worst(_energies(reference, outputs).sum(2)[None])[0])
    return None if math.isinf(quality_db) and quality_db > 0 else quality_db


def gain(reference: Sequence[Array], ours: Sequence[Array], theirs: Sequence[Array]) -> tuple[float, ...]:
    """Ends of the 95 % interval of the SQNR of `ours` less that of `theirs`, in dB, by a paired bootstrap over samples.

    Empty if either is infinite in some resample.
    """
    random, count = np.random.default_rng(0), len(reference[0])
    weights = random.multinomial(count, [1 / count] * count, RESAMPLES)
    one, other = (np.einsum("rn,eon->reo", weights, _energies(reference, each)) for each in (ours, theirs))
    differences = _worst(one) - _worst(other)
    if not np.isfinite(differences).all():
        return ()
    low, high = np.quantile(differences, [0.025, 0.975])
    return round(float(low), 2), round(float(high), 2)


def _energies(reference: Sequence[Array], outputs: Sequence[Array]) -> Array:
    """Energies of signal and noise, float64 [2, outputs, N]."""
    pairs = [(one.astype(np.float64), other.astype(np.float64)) for one, other in zip(reference, outputs, strict=True)]
    signals = [np.square(one).reshape(len(one), -1).sum(1) for one, _ in pairs]
    noises = [np.square(one - other).reshape(len(one), -1).sum(1) for one, other in pairs]
    return np.array([signals, noises])


def _worst(energies: Array) -> Array:
    """Least SQNR over outputs, [R], of energies [R, 2, outputs]; outputs that are zero everywhere do not count."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quality_db = 10 * np.log10(energies[:, 0] / energies[:, 1])
    return np.asarray(np.nanmin(np.where(energies[:, 0] > 0, quality_db, np.inf), axis=1))
