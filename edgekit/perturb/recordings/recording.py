"""Recordings of a set, one at a time, with what a perturbation may ask of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws
from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.recordings.noise import mean_power
from edgekit.perturb.signal_layout import SignalLayout
from edgekit.samples import Samples

INT16 = 32768.0
"""Full scale of whole samples, on the scale of int16 whatever their dtype."""


@dataclass(frozen=True)
class RecordingSet:
    """Recordings of an input as waves, float64 [C, T], full scale 1."""

    layout: SignalLayout
    scale: float
    """Value of full scale: 32,768 for int16; for reals 1, or the next power of two above the set's peak."""
    power: float
    """Mean power of the set's waves."""

    @classmethod
    def of(cls, samples: Samples, domain: InputDomain) -> RecordingSet:
        layout = SignalLayout.of(samples, domain)
        scale = INT16 if layout.array.dtype.kind in "iu" else _full_scale(layout)
        powers = [mean_power(layout.signal(i) / scale) for i in range(len(layout))]
        power = float(np.cumsum(powers)[-1] / len(powers)) if powers else 0.0
        return cls(layout, scale, power)

    def wave(self, i: int) -> Array:
        """Recording i, float64 [C, T]."""
        wave: Array = self.layout.signal(i) / self.scale
        return wave

    def others(self, i: int, draws: Draws, count: int) -> list[Array]:
        """Draw other recordings of the set than i: `count`, or as many as there are."""
        order = [int(place) for place in np.argsort(draws.other("others").words(len(self.layout))[0], kind="stable")]
        return [self.wave(place) for place in order if place != i][:count]

    def changed(self, change: Callable[[int, Array], Array]) -> Array:
        """Array of the input with `change(i, wave)` in place of each recording, clipped at full scale.

        Recordings of no length stay as they are.
        """
        waves = ((i, self.wave(i)) for i in range(len(self.layout)))
        heard = ((i, np.clip(change(i, wave), -1, 1) * self.scale) for i, wave in waves if wave.size)
        return self.layout.with_signals(heard)


def _full_scale(layout: SignalLayout) -> float:
    peak = max((float(np.max(np.abs(layout.signal(i)), initial=0)) for i in range(len(layout))), default=0.0)
    share, exponent = np.frexp(peak)  # exact, where a logarithm is not
    return 1.0 if peak <= 1 else float(2.0 ** (exponent - (share == 0.5)))
