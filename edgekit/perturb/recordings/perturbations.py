"""Perturbations of recordings, as reports show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws
from edgekit.perturb.input_domain import InputDomain, Kind
from edgekit.perturb.perturbation import Family, Perturbation
from edgekit.perturb.recordings import echo, level, noise, telephone, time_shift
from edgekit.perturb.recordings.recording import RecordingSet
from edgekit.perturb.signal_labels import labels_follow_time, labels_follow_values
from edgekit.samples import Samples

STATE_RATE = "its rate is not stated: signal = {{ kind = 'recordings', rate = 16000 }} under [inputs.{name}]"


@dataclass(frozen=True)
class Heard:
    """One recording, and what a change may ask: the set, its rate in samples a second, and the hop of its frames."""

    recordings: RecordingSet
    i: int
    wave: Array
    draws: Draws
    rate: int
    """Samples a second; 0 where it is not known, which changes that need it are not asked for."""
    hop: int | None

    def noisy(self, added: Array, severity: int) -> Array:
        return noise.mixed(self.wave, added, severity, self.recordings.power)


Change = Callable[[Heard, int], Array]
"""Function of a recording and a severity: the wave that is heard in its place."""


@dataclass(frozen=True)
class RecordingPerturbation:
    """Perturbation of recordings by a function of one wave."""

    name: str
    family: Family
    change: Change
    parameters: str
    timed: bool = False
    """True if it counts in seconds or Hz, and so needs the rate."""
    moves: bool = False
    """True if what is heard is at another time than before."""
    loudness: bool = False
    """True if the level changes, which labels that are sound themselves follow."""
    crowd: bool = False
    """True if it is made of other recordings."""
    kind: Kind = "recordings"
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    version: int = 1

    def unfit(self, samples: Samples, domain: InputDomain) -> str | None:
        if samples.inputs[domain.name].dtype.kind not in "fiu":
            return "its values are no numbers of a wave"
        if not np.isfinite(samples.inputs[domain.name]).all():
            return "it holds NaN or infinite values"
        if samples.length is None and not domain.spec.raw_shape:
            return "a single number has no time"
        if self.timed and not domain.rate:
            return STATE_RATE.format(name=domain.name)
        if self.crowd and len(samples) < 2:
            return "babble is made of the set's other recordings, and there is one"
        if not np.any(samples.inputs[domain.name]):
            return "all recordings are silent or of no length"
        if self.moves and labels_follow_time(samples):
            return "labels are of places in time, which it would move"
        if self.loudness and labels_follow_values(samples, domain):
            return "labels are recordings themselves, of the level before"
        return None

    def apply(self, samples: Samples, domain: InputDomain, severity: int, draws: Draws) -> Samples:
        recordings = RecordingSet.of(samples, domain)
        rate, hop = domain.rate or 0, domain.hop

        def heard(i: int, wave: Array) -> Array:
            own = Draws(draws.stream, draws.keys[i : i + 1])
            return self.change(Heard(recordings, i, wave, own, rate, hop), severity)

        return replace(samples, inputs={**samples.inputs, domain.name: recordings.changed(heard)})


def _white(heard: Heard, severity: int) -> Array:
    return heard.noisy(noise.white_noise(heard.wave, heard.draws), severity)


def _pink(heard: Heard, severity: int) -> Array:
    return heard.noisy(noise.pink_noise(heard.wave, heard.draws), severity)


def _babble(heard: Heard, severity: int) -> Array:
    others = heard.recordings.others(heard.i, heard.draws, noise.VOICES)
    return heard.noisy(noise.babble(heard.wave, heard.draws, [each for each in others if each.size]), severity)


def _telephone(heard: Heard, severity: int) -> Array:
    return telephone.telephone(heard.wave, severity, heard.rate)


def _echo(heard: Heard, severity: int) -> Array:
    return echo.echo(heard.wave, severity, heard.draws, heard.rate)


def _time_shift(heard: Heard, severity: int) -> Array:
    return time_shift.time_shift(heard.wave, severity, heard.draws, heard.rate)


def _frame_shift(heard: Heard, severity: int) -> Array:
    return time_shift.frame_shift(heard.wave, severity, heard.rate, heard.hop)


RATIOS = f"signal to noise {noise.RATIOS_DB} dB"
RECORDINGS: tuple[Perturbation, ...] = (
    RecordingPerturbation("white noise", "natural", _white, RATIOS),
    RecordingPerturbation("pink noise", "natural", _pink, f"{RATIOS}, {noise.OCTAVES} octaves"),
    RecordingPerturbation("babble", "natural", _babble, f"{RATIOS}, {noise.VOICES} others", crowd=True),
    RecordingPerturbation(
        "gain",
        "systematic",
        lambda heard, severity: level.gain(heard.wave, severity),
        f"-{level.ATTENUATIONS_DB} dB",
        loudness=True,
    ),
    RecordingPerturbation(
        "clipping",
        "systematic",
        lambda heard, severity: level.clipping(heard.wave, severity),
        f"share of samples {level.CLIPPED_SHARES}",
    ),
    RecordingPerturbation(
        "telephone",
        "systematic",
        _telephone,
        f"Hz {telephone.BANDS_HZ}, mu-law from {telephone.CODED_FROM}",
        timed=True,
    ),
    RecordingPerturbation(
        "echo",
        "natural",
        _echo,
        f"RT60 {echo.SECONDS} s, direct {echo.DIRECT_DB} dB",
        timed=True,
    ),
    RecordingPerturbation(
        "time shift",
        "natural",
        _time_shift,
        f"{time_shift.MILLISECONDS} ms, either side",
        timed=True,
        moves=True,
    ),
    RecordingPerturbation(
        "frame shift",
        "shift",
        _frame_shift,
        f"{time_shift.HOPS} hops, of 10 ms if none is stated",
        timed=True,
        moves=True,
    ),
)
"""Perturbations of recordings, in the order in which reports show them."""
