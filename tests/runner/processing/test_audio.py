"""Recordings become what a network takes: SciPy's resampling, the stated channel, scale and length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.signal import resample_poly

from edgekit.ir.measurement import Array
from edgekit.runner.errors import RunnerError
from edgekit.runner.processing.audio import audio_digest, check_audio, process_audio
from edgekit.runner.processing.resample import ratio, resample

SETTINGS: dict[str, Any] = {
    "rate": 16000,
    "from": 16000,
    "channel": None,
    "samples": None,
    "fit": "exact",
    "dtype": "int16",
}
PCM = np.random.default_rng(0).integers(-32768, 32768, (5003, 2)).astype(np.int16)


RATES = ({"rate": 65537, "from": 65539}, {"rate": True})


def processed(pcm: Array, rate: int | None = None, **changes: Any) -> Array:
    return process_audio({**SETTINGS, **changes}, pcm, rate)


@pytest.mark.parametrize(
    ("old", "new"),
    [(48000, 16000), (44100, 16000), (8000, 16000), (22050, 16000), (44100, 48000), (96000, 8000), (11025, 44100)],
)
def test_resampling_is_that_of_scipy(old: int, new: int) -> None:
    wave = PCM[:, 0].astype(float)
    up, down = ratio(old, new)
    expected = resample_poly(wave, up, down)
    ours = resample(wave, old, new)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=1e-3)  # of a range of 65,536
    whole = process_audio({**SETTINGS, "rate": new, "from": old}, PCM[:, 0])
    assert np.abs(whole - np.clip(np.rint(expected), -32768, 32767)).max() <= 1


def test_a_tone_keeps_its_pitch_and_what_is_above_half_the_rate_is_gone() -> None:
    times = np.arange(48000) / 48000
    low, high = (np.round(10000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16) for hertz in (1000, 11000))
    expected = 10000 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    assert np.abs(processed(low, 48000) - expected)[100:-100].max() < 30
    assert np.abs(processed(high, 48000))[100:-100].max() < 30


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_every_dtype_has_one_scale(dtype: str) -> None:
    levels = np.array([-1.0, -0.5, 0.0, 0.25, 0.5])
    raw = {
        "uint8": levels * 128 + 128,
        "int16": levels * 32768,
        "int32": levels * 2147483648,
        "float32": levels,
        "float64": levels,
    }[dtype].astype(dtype)
    np.testing.assert_array_equal(processed(raw), levels * 32768)
    real = processed(raw, dtype="float32")
    assert real.dtype == np.float32
    np.testing.assert_array_equal(real, levels)


def test_channels_become_one() -> None:
    np.testing.assert_array_equal(processed(PCM, channel=1), PCM[:, 1])
    np.testing.assert_array_equal(processed(PCM), np.rint(PCM.astype(float).mean(1)))
    with pytest.raises(RunnerError, match="audio has 2 channels, number 2 is stated"):
        processed(PCM, channel=2)


def test_another_length_is_cut_filled_up_or_refused() -> None:
    wave = np.arange(1, 8, dtype=np.int16)
    assert processed(wave, samples=3, fit="start").tolist() == [1, 2, 3]
    assert processed(wave, samples=3, fit="centre").tolist() == [3, 4, 5]
    assert processed(wave, samples=9, fit="start").tolist() == [1, 2, 3, 4, 5, 6, 7, 0, 0]
    assert processed(wave, samples=10, fit="centre").tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 0]
    with pytest.raises(RunnerError, match="audio has 7 samples at the rate of the model, it takes 9"):
        processed(wave, samples=9)


@pytest.mark.parametrize(
    "pcm",
    [np.zeros((2, 2, 2), np.int16), np.zeros(0, np.int16), np.zeros(4, np.int8), np.full(3, np.nan), np.array(["a"])],
)
def test_what_is_no_recording_is_refused(pcm: Array) -> None:
    with pytest.raises(RunnerError, match=r"audio (is|holds NaN)"):
        processed(pcm)


@pytest.mark.parametrize(
    "changes",
    [{"rate": 0}, {"from": 1.5}, {"samples": -1}, {"fit": "end"}, {"dtype": "O"}, {"channel": -1}, {"more": 1}, *RATES],
)
def test_settings_of_a_newer_edgekit_are_refused(changes: dict[str, Any]) -> None:
    assert check_audio(SETTINGS) == SETTINGS
    with pytest.raises(RunnerError):
        check_audio({**SETTINGS, **changes})


def test_the_digest_tells_settings_apart() -> None:
    digests = {
        audio_digest({**SETTINGS, **changes})
        for changes in ({}, {"rate": 8000}, {"channel": 0}, {"channel": 1}, {"dtype": "float32"}, {"from": 22050})
    }
    assert len(digests) == 6
