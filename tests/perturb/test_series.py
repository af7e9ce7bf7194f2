"""Perturbations of series and spectrograms: what they do to readings of sensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.perturb.draws import Draws
from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.series import conversion, lost_values, sensor_errors
from edgekit.perturb.series.perturbations import SERIES, SPECTROGRAMS
from edgekit.samples import Samples
from tests.perturb.signal_sets import domain_of, perturbed, unfit

SENSORS = domain_of({"shape": [200, 3], "signal": "series"})
DRAWS = Draws("test", (b"one",))


def readings(count: int = 20) -> Samples:
    """Series [N, 200, 3]; the channels have deviations of about 1, 10 and 0."""
    random = np.random.default_rng(0)
    values = random.normal(size=(count, 200, 3)).cumsum(1) / 8 * [1, 10, 0] + [0, 100, 5]
    return Samples({"x": values.astype(np.float32)}, np.zeros(count, np.int64))


def changes(name: str, severity: int, samples: Samples | None = None) -> np.ndarray:
    samples = samples or readings()
    after = perturbed(name, severity, samples, SENSORS).inputs["x"].astype(np.float64)
    difference: np.ndarray = after - samples.inputs["x"]
    return difference


def test_bias_is_one_offset_a_channel_in_its_deviations() -> None:
    deviations = readings().inputs["x"].std(axis=(0, 1), dtype=np.float64)
    for severity, share in enumerate(sensor_errors.OFFSETS, 1):
        offsets = changes("bias", severity)
        np.testing.assert_allclose(np.ptp(offsets, axis=1), 0, atol=1e-4)
        np.testing.assert_allclose(np.abs(offsets[:, 0]), np.tile(share * deviations, (20, 1)), atol=1e-4)
    assert {tuple(side) for side in np.sign(offsets[:, 0, :2])} == {(-1, -1), (-1, 1), (1, -1), (1, 1)}


def test_drift_grows_evenly_to_that_offset_and_noise_has_its_deviation() -> None:
    drift, bias = changes("drift", 4), changes("bias", 4)
    np.testing.assert_allclose(drift[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(np.abs(drift[:, -1]), np.abs(bias[:, -1]), atol=1e-4)
    np.testing.assert_allclose(np.diff(drift[0, :, 0]), drift[0, -1, 0] / 199, atol=1e-5)
    deviations = readings().inputs["x"].std(axis=(0, 1), dtype=np.float64)
    np.testing.assert_allclose(changes("sensor noise", 4).std(axis=(0, 1)), 0.4 * deviations, rtol=0.03, atol=1e-9)


@pytest.mark.parametrize("name", ["lost values", "lost stretch"])
def test_lost_values_hold_the_last_one(name: str) -> None:
    samples = readings()
    after = perturbed(name, 4, samples, SENSORS).inputs["x"]
    lost = np.any(after != samples.inputs["x"], axis=2)
    assert lost.mean() == pytest.approx(0.3, abs=0.03)
    for before, row, gaps in zip(samples.inputs["x"], after, lost, strict=True):
        for place in np.flatnonzero(gaps):
            np.testing.assert_array_equal(row[place], row[place - 1] if place and not gaps[:place].all() else row[0])
        assert np.isin(row[:, 0], before[:, 0]).all()
    stretches = np.sum(np.diff(lost.astype(int), axis=1) == 1, axis=1)
    assert (stretches.max() <= 1) == (name == "lost stretch")


def test_values_before_the_first_that_arrives_are_that_one() -> None:
    values = np.arange(5.0)[None]
    assert lost_values.held(values, np.array([1, 1, 0, 1, 0], bool)).tolist() == [[2, 2, 2, 2, 4]]
    assert lost_values.held(values, np.ones(5, bool)).tolist() == values.tolist()


def test_a_missing_channel_has_its_mean() -> None:
    samples = readings()
    after = perturbed("missing channel", 1, samples, SENSORS).inputs["x"]
    constant = np.ptp(after, axis=1) == 0
    assert (constant[:, :2].sum(axis=1) <= 1).all()
    assert constant[:, :2].any(axis=0).all()
    means = samples.inputs["x"].mean(axis=(0, 1), dtype=np.float64)
    np.testing.assert_allclose(after[constant[:, 1]][:, 0, 1], means[1], rtol=1e-6)


def test_a_coarse_converter_has_two_to_its_bits_levels() -> None:
    for severity, bits in enumerate(conversion.BITS, 1):
        samples = readings(200)
        after = perturbed("coarse converter", severity, samples, SENSORS).inputs["x"][:, :, 1]
        before = samples.inputs["x"][:, :, 1]
        levels = np.unique(after)
        assert len(levels) <= 1 << bits
        assert (levels[0], levels[-1]) == (before.min(), before.max())
        step = np.ptp(before) / ((1 << bits) - 1)
        assert np.abs(after - before).max() <= step / 2 * 1.001
        np.testing.assert_array_equal(changes("coarse converter", severity)[:, :, 2], 0)


def test_jitter_reads_on_the_line_between_steps() -> None:
    line = np.stack([np.arange(500.0), 7 - 2 * np.arange(500.0)])
    for severity, deviation in enumerate(conversion.JITTERS, 1):
        read = conversion.jitter(line, severity, DRAWS)
        np.testing.assert_allclose(read[1], 7 - 2 * read[0])
        assert np.std(read[0, 5:-5] - line[0, 5:-5]) == pytest.approx(deviation, rel=0.15)
        assert (read[0].min() >= 0, read[0].max() <= 499) == (True, True)


def test_sequences_and_free_lengths_keep_theirs() -> None:
    steps = domain_of({"shape": [3], "signal": "series"})
    samples = replace(readings(3), length=np.array([200, 50, 1]), labels=np.zeros(3))
    free = domain_of({"shape": ["t:1..200", 3], "signal": "series"})
    padded = Samples({**readings(3).inputs, "t.length": np.array([200, 50, 1])}, np.zeros(3))
    for each in SERIES:
        for domain, given in ((steps, samples), (free, padded)):
            after = perturbed(each.name, 5, given, domain).inputs["x"]
            np.testing.assert_array_equal(after[1, 50:], given.inputs["x"][1, 50:])
            np.testing.assert_array_equal(after[2], given.inputs["x"][2])
            assert not np.array_equal(after, given.inputs["x"]), each.name


def test_the_time_may_be_another_axis() -> None:
    turned = domain_of({"shape": [3, 200], "signal": {"kind": "series", "time": 1}})
    samples = readings()
    across = replace(samples, inputs={"x": np.ascontiguousarray(samples.inputs["x"].transpose(0, 2, 1))})
    after = perturbed("drift", 3, across, turned).inputs["x"]
    rising = np.abs(after - across.inputs["x"])
    assert (rising[:, 0, -1] > rising[:, 0, 100]).all()
    np.testing.assert_allclose(after[:, :, 0], across.inputs["x"][:, :, 0], atol=1e-5)


def test_spectrograms_are_masked_and_shifted_alone() -> None:
    mels = domain_of({"shape": [1, 40, 98], "signal": "spectrograms"})
    random = np.random.default_rng(0)
    samples = Samples({"x": random.normal(size=(8, 1, 40, 98)).astype(np.float32)}, np.zeros(8))
    bands = perturbed("masked bands", 5, samples, mels).inputs["x"] != samples.inputs["x"]
    assert (bands.all(axis=3).sum(axis=(1, 2)) == round(0.34 * 40)).all()
    frames = perturbed("masked frames", 2, samples, mels).inputs["x"] != samples.inputs["x"]
    assert (frames.all(axis=2).sum(axis=(1, 2)) == round(0.1 * 98)).all()
    later = perturbed("spectrum shift", 2, samples, mels).inputs["x"]
    np.testing.assert_array_equal(later[..., 2:], samples.inputs["x"][..., :-2])
    assert {each.kind for each in SPECTROGRAMS} == {"spectrograms"}


def test_what_cannot_be_done_is_said() -> None:
    one = domain_of({"shape": [48], "signal": "series"})
    flat = Samples({"x": np.ones((4, 48), np.float32)}, np.zeros(4))
    assert unfit("bias", flat, one) == "all values of the set are the same"
    assert "one channel" in str(
        unfit("missing channel", Samples({"x": np.eye(4, 48, dtype=np.float32)}, np.zeros(4)), one)
    )
    broken = Samples({"x": np.full((4, 48), np.nan, np.float32)}, np.zeros(4))
    assert {each.unfit(broken, one) for each in SERIES} == {"it holds NaN or infinite values"}
    empty = Samples({"x": np.zeros((0, 48), np.float32)}, np.zeros(0))
    assert {each.unfit(empty, one) for each in SERIES} == {"its series have no values"}
    step = Samples({"x": np.arange(4, dtype=np.float32)[:, None]}, np.zeros(4))
    assert "one step" in str(unfit("drift", step, domain_of({"shape": [1], "signal": "series"})))
    number = Samples({"x": np.arange(4, dtype=np.float32)}, np.zeros(4))
    assert unfit("drift", number, domain_of({"shape": [], "signal": "series"})) == "a single number has no time"
    ahead = InputDomain("x", one.spec, one.root, "forecasting")
    assert "goes on from the last step" in str(unfit("step shift", readings(), ahead))


def test_a_constant_channel_stays_as_it_is() -> None:
    for name in ("bias", "drift", "sensor noise", "coarse converter"):
        np.testing.assert_array_equal(changes(name, 5)[:, :, 2], 0)


def test_a_padded_sample_is_perturbed_as_it_is_alone() -> None:
    free = domain_of({"shape": ["t:1..200", 3], "signal": "series"})
    steps = domain_of({"shape": [3], "signal": "series"})
    values = readings(3).inputs["x"]
    padded = Samples({"x": values, "t.length": np.array([200, 50, 200])}, np.zeros(3))
    alone = Samples({"x": values[1:2, :50], "t.length": np.array([50])}, np.zeros(1))
    together = Samples({"x": values}, np.zeros(3), length=np.array([200, 50, 200]))
    apart = Samples({"x": values[1:2, :50]}, np.zeros(1), length=np.array([50]))
    for domain, many, one in ((free, padded, alone), (steps, together, apart)):
        after = perturbed("lost values", 5, many, domain).inputs["x"][1, :50]
        np.testing.assert_array_equal(perturbed("lost values", 5, one, domain).inputs["x"][0], after)
        assert not np.array_equal(after, values[1, :50])
