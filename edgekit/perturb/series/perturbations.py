"""Perturbations of series and of spectrograms, as reports show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws
from edgekit.perturb.input_domain import InputDomain, Kind
from edgekit.perturb.perturbation import Family, Perturbation
from edgekit.perturb.recordings.time_shift import delayed
from edgekit.perturb.series import conversion, lost_values, sensor_errors
from edgekit.perturb.series.channel_statistics import ChannelStatistics
from edgekit.perturb.signal_labels import labels_follow_time
from edgekit.perturb.signal_layout import SignalLayout
from edgekit.samples import Samples

STEPS = (1, 2, 3, 4, 5)
"""Shift of a series in steps, or of a spectrogram in frames, by severity."""


@dataclass(frozen=True)
class SensorSeries:
    """One series, float64 [C, T], and what a change may ask: statistics of the set, and random numbers."""

    values: Array
    statistics: ChannelStatistics
    draws: Draws


Change = Callable[[SensorSeries, int], Array]
"""Function of a series and a severity: the values that are read in its place."""


@dataclass(frozen=True)
class SeriesPerturbation:
    """Perturbation of series by a function of one of them. Samples of one step, and none, stay as they are."""

    name: str
    family: Family
    change: Change
    parameters: str
    moves: bool = False
    """True if values are at another step than before."""
    by_channel: bool = False
    """True if some channels are lost, and others stay."""
    spread: bool = True
    """True if its size is in the spread of the channels, which constant ones have not."""
    kind: Kind = "series"
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    version: int = 1

    def unfit(self, samples: Samples, domain: InputDomain) -> str | None:
        array = samples.inputs[domain.name]
        if array.dtype.kind not in "fiu":
            return "its values are no numbers of a sensor"
        if not len(samples) or not array.size:
            return "its series have no values"
        if not np.isfinite(array).all():
            return "it holds NaN or infinite values"
        if samples.length is None and not domain.spec.raw_shape:
            return "a single number has no time"
        layout = SignalLayout.of(samples, domain)
        channels, steps = layout.signal(0).shape
        if layout.array[0].shape[layout.axis] < 2 or steps == 0:
            return "a series of one step has no time"
        if self.by_channel and channels < 2:
            return "the series has one channel, and nothing would be left"
        if self.spread and not np.any(array != array.reshape(-1)[0]):
            return "all values of the set are the same"
        if self.moves and labels_follow_time(samples):
            return "labels are of places in time, which it would move"
        if self.moves and domain.forecasts:
            return "a forecast goes on from the last step, which it would move"
        return None

    def apply(self, samples: Samples, domain: InputDomain, severity: int, draws: Draws) -> Samples:
        layout = SignalLayout.of(samples, domain)
        statistics = ChannelStatistics.of(layout)

        def read(i: int) -> Array:
            own = Draws(draws.stream, draws.keys[i : i + 1])
            return self.change(SensorSeries(layout.signal(i), statistics, own), severity)

        places = (i for i in range(len(layout)) if layout.signal(i).shape[1] > 1)
        changed = layout.with_signals((i, read(i)) for i in places)
        return replace(samples, inputs={**samples.inputs, domain.name: changed})


def _noise(series: SensorSeries, severity: int) -> Array:
    return sensor_errors.noise(series.values, severity, series.draws, series.statistics.deviations)


def _bias(series: SensorSeries, severity: int) -> Array:
    return sensor_errors.bias(series.values, severity, series.draws, series.statistics.deviations)


def _drift(series: SensorSeries, severity: int) -> Array:
    return sensor_errors.drift(series.values, severity, series.draws, series.statistics.deviations)


def _lost_steps(series: SensorSeries, severity: int) -> Array:
    return lost_values.lost_steps(series.values, severity, series.draws)


def _lost_stretch(series: SensorSeries, severity: int) -> Array:
    return lost_values.lost_stretch(series.values, severity, series.draws)


def _missing(series: SensorSeries, severity: int) -> Array:
    return lost_values.missing_channels(series.values, severity, series.draws, series.statistics.means)


def _coarse(series: SensorSeries, severity: int) -> Array:
    return conversion.coarse(series.values, severity, series.statistics.least, series.statistics.most)


def _jitter(series: SensorSeries, severity: int) -> Array:
    return conversion.jitter(series.values, severity, series.draws)


def _step_shift(series: SensorSeries, severity: int) -> Array:
    return delayed(series.values, STEPS[severity - 1], held=True)


def _bands(series: SensorSeries, severity: int) -> Array:
    return lost_values.masked_bands(series.values, severity, series.draws, series.statistics.means)


def _frames(series: SensorSeries, severity: int) -> Array:
    return lost_values.masked_frames(series.values, severity, series.draws, series.statistics.means)


OFFSETS = f"{sensor_errors.OFFSETS} standard deviations"
LOST = f"share of steps {lost_values.SHARES}"
MASKED = f"share {lost_values.BAND_SHARES}"
SERIES: tuple[Perturbation, ...] = (
    SeriesPerturbation("sensor noise", "natural", _noise, f"{sensor_errors.NOISES} standard deviations"),
    SeriesPerturbation("lost values", "natural", _lost_steps, LOST),
    SeriesPerturbation("lost stretch", "natural", _lost_stretch, LOST),
    SeriesPerturbation(
        "missing channel", "natural", _missing, f"share of channels {lost_values.CHANNEL_SHARES}", by_channel=True
    ),
    SeriesPerturbation("drift", "natural", _drift, OFFSETS),
    SeriesPerturbation("bias", "systematic", _bias, OFFSETS),
    SeriesPerturbation("coarse converter", "systematic", _coarse, f"{conversion.BITS} bits over the set's range"),
    SeriesPerturbation("time jitter", "systematic", _jitter, f"{conversion.JITTERS} steps"),
    SeriesPerturbation("step shift", "shift", _step_shift, f"{STEPS} steps later", moves=True),
)
"""Perturbations of series, in the order in which reports show them."""
SPECTROGRAMS: tuple[Perturbation, ...] = (
    SeriesPerturbation(
        "masked bands", "natural", _bands, f"{MASKED} of the bands", by_channel=True, kind="spectrograms"
    ),
    SeriesPerturbation("masked frames", "natural", _frames, f"{MASKED} of the frames", kind="spectrograms"),
    SeriesPerturbation(
        "spectrum shift", "shift", _step_shift, f"{STEPS} frames later", moves=True, kind="spectrograms"
    ),
)
"""Perturbations of spectrograms: what needs the wave, such as noise at a ratio, cannot be done to them."""
