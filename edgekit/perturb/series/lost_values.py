"""Lost values of a series: some, a whole stretch, or a whole channel.

The last value is held where one is lost, as drivers and gateways do: the "constant" fault of Sharma et al. 2010.
"""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Share of the steps that are lost, by severity: from a lossy radio link to one that loses every other packet."""
CHANNEL_SHARES = (0.0, 0.1, 0.25, 0.4, 0.5)
"""Share of the channels that are missing, by severity, one at least and never all."""
BAND_SHARES = (0.05, 0.1, 0.15, 0.25, 0.34)
"""Share of the bands or frames of a spectrogram that are masked, by severity; the last is 27 of 80 bands, the widest
mask of SpecAugment (Park et al. 2019)."""


def lost_steps(values: Array, severity: int, draws: Draws) -> Array:
    """Lose single steps of all channels, float64 [C, T]; the value before is held, of the first step the next one."""
    lost = draws.uniform(values.shape[1])[0] < SHARES[severity - 1]
    return held(values, lost)


def lost_stretch(values: Array, severity: int, draws: Draws) -> Array:
    """Lose as many steps in one stretch, anywhere."""
    return held(values, stretch(values.shape[1], SHARES[severity - 1], draws))


def missing_channels(values: Array, severity: int, draws: Draws, means: Array) -> Array:
    """Lose whole channels: each has its mean over the set, [C], which is what software fills in that misses one."""
    lost = chosen(len(values), CHANNEL_SHARES[severity - 1], draws)
    result = values.copy()
    result[lost] = means[lost, None]
    return result


def masked_bands(values: Array, severity: int, draws: Draws, means: Array) -> Array:
    """Replace neighbouring bands of a spectrogram [bands, frames] by their means over the set, [bands]."""
    lost = stretch(len(values), BAND_SHARES[severity - 1], draws)
    return np.where(lost[:, None], means[:, None], values)


def masked_frames(values: Array, severity: int, draws: Draws, means: Array) -> Array:
    """Replace neighbouring frames of a spectrogram [bands, frames] by the means of the bands over the set."""
    lost = stretch(values.shape[1], BAND_SHARES[severity - 1], draws)
    return np.where(lost[None], means[:, None], values)


def held(values: Array, lost: Array) -> Array:
    """Hold the last value that is not lost; before the first one, that one. All stay where all are lost."""
    kept = np.flatnonzero(~lost)
    if not len(kept):
        return values
    places = np.searchsorted(kept, np.arange(values.shape[1]), side="right") - 1
    result: Array = values[:, kept[np.maximum(places, 0)]]
    return result


def stretch(count: int, share: float, draws: Draws) -> Array:
    """Draw a stretch of a share of `count` places, one at least and never all: bool [count]."""
    size = max(1, min(count - 1, round(share * count)))
    begin = int(draws.other("begin").integers(1, count - size + 1)[0, 0])
    places = np.arange(count)
    return (places >= begin) & (places < begin + size)


def chosen(count: int, share: float, draws: Draws) -> Array:
    """Draw a share of `count` places, one at least and never all: int64."""
    size = max(1, min(count - 1, round(share * count)))
    order: Array = np.argsort(draws.other("chosen").words(count)[0], kind="stable")[:size]
    return order
