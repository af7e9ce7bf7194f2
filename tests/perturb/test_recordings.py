"""Perturbations of recordings: what they do to a wave, held against SciPy and the definitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws
from edgekit.perturb.recordings import echo, noise, telephone, time_shift
from edgekit.perturb.recordings.exact_convolution import convolve
from edgekit.perturb.recordings.perturbations import RECORDINGS
from edgekit.samples import Samples
from tests.perturb.signal_sets import RATE, domain_of, perturbed, tones, unfit

WAVE = domain_of({"shape": [1, 8000], "signal": {"kind": "recordings", "rate": RATE}})
DRAWS = Draws("test", (b"one",))


def decibels(ratio: float) -> float:
    return float(10 * np.log10(ratio))


@pytest.mark.parametrize("name", ["white noise", "pink noise", "babble"])
def test_noise_has_the_stated_ratio_to_each_recording(name: str) -> None:
    samples = tones(4)
    samples = replace(samples, inputs={"x": samples.inputs["x"] * np.hanning(8000).astype(np.float32)})
    for severity, ratio in enumerate(noise.RATIOS_DB, 1):
        noisy = perturbed(name, severity, samples, WAVE).inputs["x"].astype(np.float64)
        for before, after in zip(samples.inputs["x"].astype(np.float64), noisy, strict=True):
            assert decibels(np.mean(before**2) / np.mean((after - before) ** 2)) == pytest.approx(ratio, abs=0.1)


def test_a_silent_recording_gets_the_noise_of_the_sets_power() -> None:
    samples = tones(4)
    samples.inputs["x"][0] = 0
    noisy = perturbed("white noise", 3, samples, WAVE).inputs["x"][0]
    power = float(np.mean(np.square(samples.inputs["x"], dtype=np.float64)))
    assert decibels(power / float(np.mean(noisy.astype(np.float64) ** 2))) == pytest.approx(10, abs=0.2)


def test_pink_noise_falls_by_three_decibels_an_octave() -> None:
    wave = noise.pink_noise(np.zeros((1, 1 << 17)), DRAWS)[0]
    frequencies, power = signal.welch(wave, RATE, nperseg=8192)
    octaves = [(frequencies >= low) & (frequencies < 2 * low) for low in (50, 100, 200, 400, 800, 1600, 3200)]
    levels = [decibels(power[octave].mean()) for octave in octaves]
    slope = np.polyfit(range(len(levels)), levels, 1)[0]
    assert slope == pytest.approx(-3.01, abs=0.25)
    white = noise.white_noise(np.zeros((1, 1 << 16)), DRAWS)
    assert (white.mean(), white.var()) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.02))


def test_a_convolution_is_scipys_and_whole_multiples_of_a_power_of_two() -> None:
    random = np.random.default_rng(0)
    wave, taps = random.uniform(-1, 1, 40_000), random.normal(size=300) / 20
    result = convolve(wave, taps)
    assert np.abs(result - signal.fftconvolve(wave, taps)[: len(wave)]).max() < 1e-3
    loud, long = np.sign(wave[:16384]), random.normal(size=4096) / 64
    whole = (loud * (1 << 18)).astype(np.int64)
    exact = np.convolve(whole, np.rint(long * (1 << 15)).astype(np.int64))[:16384]
    np.testing.assert_array_equal(convolve(loud, long) * float(1 << 33), exact)


@pytest.mark.parametrize(
    ("severity", "passed", "stopped"), [(1, 100, 7900), (2, 1000, 40), (3, 1000, 100), (5, 1000, 4000)]
)
def test_the_telephone_passes_its_band_alone(severity: int, passed: float, stopped: float) -> None:
    low, high = telephone.BANDS_HZ[severity - 1]
    taps = telephone.band_pass(RATE, low, high)
    _, gains = signal.freqz(taps, worN=[passed, stopped, low, high], fs=RATE)
    assert np.abs(gains[0]) == pytest.approx(1, abs=0.02)
    assert np.abs(gains[1]) < 0.02
    np.testing.assert_allclose(np.abs(gains[2:]), 0.5, atol=0.05)  # a window's edges are 6 dB down
    oracle = signal.firwin(len(taps), [low, high], pass_zero=False, fs=RATE, scale=False)
    np.testing.assert_allclose(taps, oracle, atol=1e-9)


def test_a_tone_in_the_band_stays_at_its_place_and_one_below_goes() -> None:
    for hertz, share in ((1000.0, 1.0), (60.0, 0.0)):
        samples = tones(2, hertz=hertz)
        heard = perturbed("telephone", 3, samples, WAVE).inputs["x"][1, 0, 1000:-1000]
        before = samples.inputs["x"][1, 0, 1000:-1000]
        np.testing.assert_allclose(heard, share * before, atol=0.02)


def test_mu_law_is_g711s() -> None:
    # G.711, table 2a: decoder output 4,191 of 8,159 is the level between the decisions 4,063 and 4,319.
    levels = np.array([0, 1, 3, 4063.5, 4318, 8158, -8158]) / 8192
    np.testing.assert_allclose(telephone.companded(levels) * 8192, [0, 2, 4, 4191, 4191, 8031, -8031], atol=1.01)
    wave = np.linspace(-1, 1, 20_001)
    assert len(np.unique(telephone.companded(wave))) <= 256
    relative = np.abs(telephone.companded(wave) - wave)[np.abs(wave) > 0.01] / np.abs(wave[np.abs(wave) > 0.01])
    assert relative.max() < 0.05


def test_an_echo_decays_by_sixty_decibels_in_the_reverberation_time() -> None:
    for severity, seconds in enumerate(echo.SECONDS, 1):
        taps = echo.impulse_response(severity, DRAWS, RATE)
        assert np.sum(taps**2) == pytest.approx(1)
        assert decibels(taps[0] ** 2 / np.sum(taps[1:] ** 2)) == pytest.approx(echo.DIRECT_DB[severity - 1], abs=0.1)
        # Schroeder 1965: the energy that is still to come; its slope is fitted from -5 to -35 dB (ISO 3382).
        left = np.cumsum(taps[1:][::-1] ** 2)[::-1]
        decay = 10 * np.log10(left / left[0])
        part = (decay < -5) & (decay > -35)
        slope = np.polyfit(np.flatnonzero(part) / RATE, decay[part], 1)[0]
        assert -60 / slope == pytest.approx(seconds, rel=0.1)


def test_level_clipping_and_shift_do_what_they_say() -> None:
    samples = tones(3)
    assert perturbed("gain", 1, samples, WAVE).inputs["x"].max() == pytest.approx(0.5 * 0.501, abs=0.001)
    wave = samples.inputs["x"][2, 0]
    clipped = perturbed("clipping", 5, samples, WAVE).inputs["x"][2, 0]
    assert np.mean(np.abs(wave) > np.abs(clipped).max()) == pytest.approx(0.4, abs=0.01)
    shifted = perturbed("time shift", 3, samples, WAVE).inputs["x"][:, 0]
    for before, after in zip(samples.inputs["x"][:, 0], shifted, strict=True):
        sides = [np.array_equal(after[800:], before[:-800]), np.array_equal(after[:-800], before[800:])]
        assert sides.count(True) == 1
    delayed = perturbed("frame shift", 3, samples, WAVE).inputs["x"][1, 0]
    np.testing.assert_array_equal(delayed[160:], samples.inputs["x"][1, 0, :-160])
    assert time_shift.delayed(np.ones((1, 4)), 100).tolist() == [[0, 0, 1, 1]]


def test_whole_samples_keep_their_dtype_and_scale() -> None:
    domain = domain_of({"shape": [40, 48], "log_mel": {"from": "int16 PCM", "rate": RATE, "frame": 400, "hop": 160}})
    length = domain.spec.raw_shape[0]
    samples = replace(tones(3, length, "int16"), inputs={"x": tones(3, length, "int16").inputs["x"][:, 0]})
    assert (domain.kind, domain.rate, domain.hop) == ("recordings", RATE, 160)
    for each in RECORDINGS:
        changed = perturbed(each.name, 5, samples, domain).inputs["x"]
        assert (str(changed.dtype), changed.shape) == ("int16", samples.inputs["x"].shape)
        assert not np.array_equal(changed, samples.inputs["x"]), each.name
    quieter = perturbed("gain", 1, samples, domain).inputs["x"]
    np.testing.assert_array_equal(quieter, np.rint(samples.inputs["x"] * 0.501187233627))


def test_recordings_of_any_length_keep_theirs() -> None:
    domain = domain_of({"shape": ["t:1..8000"], "audio": {"rate": RATE}})
    waves: Array = tones(3).inputs["x"][:, 0]
    waves[:, 6000:] = 7
    samples = Samples({"x": waves, "t.length": np.array([6000, 0, 100])}, np.zeros(3, np.int64))
    for each in RECORDINGS:
        changed = perturbed(each.name, 4, samples, domain).inputs
        np.testing.assert_array_equal(changed["x"][:, 6000:], 7)
        np.testing.assert_array_equal(changed["x"][1], waves[1])
        np.testing.assert_array_equal(changed["t.length"], [6000, 0, 100])


def test_frames_of_a_model_with_state_are_one_wave() -> None:
    domain = domain_of({"shape": [1, 256], "signal": {"kind": "recordings", "rate": RATE}})
    frames = tones(2, 2560).inputs["x"].reshape(2, 10, 1, 256)
    samples = Samples({"x": frames}, np.zeros((2, 10), np.int64), length=np.array([10, 8]))
    changed = perturbed("telephone", 3, samples, domain).inputs["x"]
    whole = perturbed("telephone", 3, tones(2, 2560), WAVE).inputs["x"]
    np.testing.assert_array_equal(changed[0].reshape(-1), whole[0, 0])
    np.testing.assert_array_equal(changed[1, 8:], frames[1, 8:])
    assert unfit("time shift", samples, domain) == "labels are of places in time, which it would move"


def test_what_cannot_be_done_is_said() -> None:
    plain = domain_of({"shape": [1, 8000], "signal": "recordings"})
    assert "rate is not stated" in str(unfit("telephone", tones(2), plain))
    assert unfit("white noise", tones(2), plain) is None
    assert "there is one" in str(unfit("babble", tones(1), plain))
    silent = Samples({"x": np.zeros((2, 1, 8000), np.float32)}, np.zeros(2))
    assert "silent or of no length" in str(unfit("white noise", silent, plain))
    broken = Samples({"x": np.full((2, 1, 8000), np.nan, np.float32)}, np.zeros(2))
    assert "NaN" in str(unfit("gain", broken, plain))
    empty = Samples({"x": np.zeros((2, 1, 0), np.float32)}, np.zeros(2))
    assert {each.unfit(empty, WAVE) for each in RECORDINGS} == {"all recordings are silent or of no length"}
    cleaned = replace(tones(2), labels=tones(2).inputs["x"])
    assert "of the level before" in str(unfit("gain", cleaned, WAVE))


def test_the_same_bytes_come_out_in_any_set() -> None:
    samples = tones(5)
    for name in ("white noise", "pink noise", "echo", "time shift", "telephone", "clipping"):
        alone = perturbed(name, 4, samples.take([3]), WAVE).inputs["x"][0]
        np.testing.assert_array_equal(perturbed(name, 4, samples, WAVE).inputs["x"][3], alone)
