"""Log-mel in the graph: the values of SciPy's transform and of torchaudio's filters, in real arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import signal

from edgekit.frontend.log_mel import LogMelStage, mel_filters
from edgekit.ir.measurement import Array
from edgekit.specs.log_mel import LogMel

SPEECH = {"from": "float32 PCM", "rate": 16000, "frame": 400, "hop": 160, "fft": 512, "mels": 40}


def spec(**changes: Any) -> LogMel:
    return LogMel.model_validate({**SPEECH, **changes})


def audio(stated: LogMel, frames: int) -> Array:
    """Tones and noise, float64 in [-1, 1], of so many frames."""
    time = np.arange(stated.samples(frames)) / stated.rate
    tones = 0.3 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * (300 + 2000 * time) * time)
    values: Array = tones + 0.01 * np.random.default_rng(0).standard_normal(len(time))
    return values


def by_scipy(stated: LogMel, samples: Array) -> Array:
    """Power spectrum [fft // 2 + 1, frames] by SciPy's window and numpy's transform in double precision."""
    name = {"rectangular": "boxcar"}.get(stated.window, stated.window)
    shape = signal.get_window(name, stated.frame)
    starts = range(0, len(samples) - stated.frame + 1, stated.hop)
    spectra = [np.fft.rfft(samples[i : i + stated.frame] * shape, stated.transform) for i in starts]
    power: Array = np.abs(np.array(spectra).T) ** stated.power
    return power


def melscale_fbanks(stated: LogMel) -> Array:
    """Filters [bins, mels] as the documentation of torchaudio's function has them, for the HTK scale."""
    frequencies = np.linspace(0, stated.rate // 2, stated.transform // 2 + 1)
    low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (stated.low, stated.highest))
    points = 700.0 * (10.0 ** (np.linspace(low, high, stated.mels + 2) / 2595.0) - 1.0)
    slopes = points[None, :] - frequencies[:, None]
    down, up = -slopes[:, :-2] / np.diff(points)[:-1], slopes[:, 2:] / np.diff(points)[1:]
    filters: Array = np.maximum(0, np.minimum(down, up))
    return filters


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"window": "hamming", "fft": 400},
        {"window": "rectangular", "power": 1, "log": "log10", "floor": 1e-10},
        {"low": 60.0, "high": 7600.0, "mels": 64, "fft": 1024, "mean": -6.0, "std": 4.0},
        {"log": "none"},
    ],
)
def test_it_is_the_transform_of_scipy_and_the_filters_of_torchaudio(changes: dict[str, Any]) -> None:
    stated = spec(**changes)
    samples = audio(stated, 12)
    bands = (by_scipy(stated, samples).T @ melscale_fbanks(stated)).T
    logs: dict[str, Callable[[Array], Array]] = {"natural": np.log, "log10": np.log10, "none": np.asarray}
    floored = bands if stated.log == "none" else np.maximum(bands, stated.floor)
    expected = (logs[stated.log](floored) - stated.mean) / stated.std
    features = LogMelStage(stated, 2)(torch.from_numpy(samples).float()[None])
    assert features.shape == (1, stated.mels, 12)
    np.testing.assert_allclose(features[0].numpy(), expected, rtol=2e-3, atol=2e-3)


def test_int16_is_a_fraction_of_full_scale_and_a_channel_can_be_had() -> None:
    samples = audio(spec(), 5)
    raw = torch.from_numpy(np.round(samples * 32768).clip(-32768, 32767).astype(np.int16))[None]
    integer = LogMelStage(spec(**{"from": "int16 PCM"}), 3)(raw)
    assert integer.shape == (1, 1, 40, 5)
    real = LogMelStage(spec(), 2)(raw.float() / 32768)
    torch.testing.assert_close(integer[0], real, rtol=1e-4, atol=1e-4)


def test_slaneys_filters_are_linear_below_1000_hz_and_of_one_area() -> None:
    filters = mel_filters(spec(scale="slaney", norm="slaney", fft=2048))
    bins = np.arange(1025) * 16000 / 2048
    centres = bins[filters.argmax(1)]
    low = centres[centres < 900]
    assert np.ptp(np.diff(low)) <= 2 * 16000 / 2048
    assert (np.diff(centres)[-5:] > np.diff(low).max() * 2).all()
    # Each filter adds up to one, but for the coarseness of the bins.
    np.testing.assert_allclose(filters.sum(1) * 16000 / 2048, 1, atol=0.1)
