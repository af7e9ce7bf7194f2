"""Corruptions of pictures: what they do, at every size, and the same bytes each time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from edgekit.errors import Misfit
from edgekit.ir.measurement import Array
from edgekit.perturb.condition import Condition
from edgekit.perturb.draws import sample_keys
from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.pictures import noise, systematic
from edgekit.perturb.pictures.corruptions import CORRUPTIONS
from edgekit.perturb.pictures.filters import area_matrix, convolve, gaussian_blur, values_at
from edgekit.perturb.pictures.parameters import PARAMETERS
from edgekit.perturb.pictures.shifts import SHIFTS
from edgekit.perturb.pictures.systematic import SYSTEMATIC
from edgekit.perturb.registry import PERTURBATIONS, perturbation_plan
from edgekit.samples import Samples
from edgekit.specs.inputs import Input

PICTURES = [*CORRUPTIONS, *SYSTEMATIC, *SHIFTS]

RECORDED = {
    "gaussian noise": "ded99beb8f6b",
    "shot noise": "b1b6c9e23ccc",
    "glass blur": "ac0df16d473b",
    "motion blur": "d3d9cc8d786f",
    "snow": "359fc68a4714",
    "frost": "93525e7eef0e",
    "fog": "c4bfa497005e",
    "elastic transform": "391eda035ff0",
}
"""Digests at severity 3: a change of parameters or draws is another version."""


def domain(side: int, channels: int = 3, scale: float = 1 / 255) -> InputDomain:
    spec = {"shape": [channels, side, side], "preprocess": {"from": "uint8 NHWC", "scale": scale}}
    return InputDomain("image", Input.model_validate(spec), Path())


def pictures(side: int, channels: int = 3, count: int = 6, white: int = 255) -> Samples:
    """Smooth pictures with an edge, each another one."""
    rows, columns = np.mgrid[:side, :side] / side
    waves = [
        0.5 + 0.3 * np.sin(5 * rows + i + k) * np.cos(4 * columns - i) + 0.15 * (rows > 0.5)
        for i in range(count)
        for k in range(channels)
    ]
    values = np.stack(waves).reshape(count, channels, side, side).transpose(0, 2, 3, 1)
    return Samples({"image": np.rint(values * white).astype(np.uint8)}, np.arange(count))


def perturbed(samples: Samples, condition: Condition) -> Array:
    return condition.apply(samples, sample_keys(samples, "image")).inputs["image"]


@pytest.mark.parametrize("side", [8, 33])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_perturbation_gives_pictures_of_the_same_kind(side: int, channels: int) -> None:
    white = 16 if side == 8 else 255
    samples, there = pictures(side, channels, white=white), domain(side, channels, 1 / white)
    for perturbation in PICTURES:
        if perturbation.unfit(samples, there):
            assert perturbation.colours, perturbation.name
            continue
        for severity in perturbation.severities:
            changed = perturbed(samples, Condition(perturbation, severity, there))
            assert changed.shape == samples.inputs["image"].shape
            assert changed.dtype == np.uint8
            assert changed.max() <= white


def test_every_perturbation_changes_pictures_and_higher_severities_change_noise_more() -> None:
    samples, there = pictures(33), domain(33)
    clean = samples.inputs["image"].astype(int)
    for perturbation in PICTURES:
        changes = [
            np.abs(perturbed(samples, Condition(perturbation, severity, there)) - clean).mean()
            for severity in perturbation.severities
        ]
        assert min(changes) > 0, perturbation.name
        if "noise" in perturbation.name or perturbation.name in ("brightness", "contrast", "fog", "zoom blur"):
            assert changes == sorted(changes), perturbation.name


def test_a_sample_is_the_same_in_every_set_and_in_every_part() -> None:
    samples, there = pictures(12), domain(12)
    for perturbation in PICTURES:
        condition = Condition(perturbation, perturbation.severities[-1], there)
        assert np.array_equal(perturbed(samples, condition)[3:5], perturbed(samples.take([3, 4]), condition))


def test_bytes_are_those_that_were_recorded() -> None:
    samples, there = pictures(16), domain(16)
    digests = {}
    for corruption in CORRUPTIONS:
        if corruption.name in RECORDED:
            changed = perturbed(samples, Condition(corruption, 3, there))
            digests[corruption.name] = hashlib.sha256(changed.tobytes()).hexdigest()[:12]
    assert digests == RECORDED


def test_filters_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.random((2, 3, 17, 13))
    for sigma in (0.4, 1.3):
        ours = gaussian_blur(pixels, sigma)
        theirs = ndimage.gaussian_filter(pixels, sigma, mode="mirror", axes=(2, 3), truncate=np.ceil(4 * sigma) / sigma)
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    kernel = rng.random((9, 9))
    taps = [(row - 4, column - 4, float(kernel[row, column])) for row in range(9) for column in range(9)]
    theirs = ndimage.convolve(pixels[0, 0], kernel, mode="mirror")
    for chosen in (taps, taps[:40]):  # by Fourier's transform, and by sums
        if len(chosen) < 81:
            kernel = np.where(np.arange(81).reshape(9, 9) < 40, kernel, 0)
            theirs = ndimage.convolve(pixels[0, 0], kernel, mode="mirror")
        np.testing.assert_allclose(convolve(pixels, chosen)[0, 0], theirs, atol=1e-12)
    rows, columns = rng.uniform(-3, 19, (2, 2, 17, 13))
    theirs = ndimage.map_coordinates(pixels[1, 2], [rows[1], columns[1]], order=1, mode="mirror")
    np.testing.assert_allclose(values_at(pixels, rows, columns)[1, 2], theirs, atol=1e-12)
    np.testing.assert_allclose(area_matrix(3, 7).sum(1), 1)


def test_noise_has_the_size_that_its_parameter_says() -> None:
    samples = pictures(32, count=40)
    samples.inputs["image"][:] = 128
    samples.inputs["image"][:, 0, 0, 0] = np.arange(40)  # else they are one sample, whose noise is the same
    there = domain(32)

    def at(name: str) -> Array:
        corruption = next(each for each in CORRUPTIONS if each.name == name)
        return perturbed(samples, Condition(corruption, 5, there)) / 255

    assert at("gaussian noise").std() == pytest.approx(0.10, rel=0.02)
    shot = at("shot noise")
    assert shot.mean() == pytest.approx(128 / 255, rel=0.01)
    assert shot.std() == pytest.approx(np.sqrt(128 / 255 / 50), rel=0.02)
    impulse = at("impulse noise")
    assert np.mean(impulse == 0) == pytest.approx(0.035, rel=0.1)
    assert np.mean(impulse == 1) == pytest.approx(0.035, rel=0.1)


def test_counts_of_photons_are_those_of_poisson() -> None:
    from scipy.stats import poisson

    table = noise._poisson_quantiles(50)
    middles = (np.arange(noise.QUANTILES) + 0.5) / noise.QUANTILES
    for level in (1, 60, 255):
        assert np.array_equal(table[level], poisson.ppf(middles, level / 255 * 50))


def test_parameters_between_the_sizes_are_between() -> None:
    noise_table = PARAMETERS["gaussian noise"]
    assert noise_table.at(5, 32, 32) == (0.10,)
    assert noise_table.at(5, 8, 8) == (0.10,)
    assert noise_table.at(5, 224, 224) == pytest.approx((0.38,))
    assert noise_table.at(5, 500, 500) == pytest.approx((0.38,))
    assert noise_table.at(5, 85, 84) == pytest.approx((0.24,), abs=0.01)


def test_systematic_perturbations_do_what_their_name_says() -> None:
    pixels = np.random.default_rng(2).random((2, 3, 9, 10))
    grey = np.repeat(pixels[:, :1], 3, 1)
    np.testing.assert_allclose(systematic.other_luma(grey), grey, atol=1e-12)
    np.testing.assert_allclose(systematic.plain_decoder(grey), grey, atol=1e-12)
    np.testing.assert_allclose(systematic.full_as_limited(systematic.limited_as_full(pixels)), pixels, atol=1e-12)
    assert np.array_equal(systematic.cropped(pixels)[:, :, :-1, :-1], pixels[:, :, 1:, 1:])
    assert not systematic.padded(pixels)[:, :, 0].any()
    red = np.zeros((1, 3, 4, 4))
    red[:, 0] = 1
    luma = systematic._luma_matrix(systematic.BT601)[0]
    assert luma @ systematic.other_luma(red)[0, :, 0, 0] != pytest.approx(luma[0])


def test_pictures_that_are_too_small_are_told_with_their_size() -> None:
    with pytest.raises(Misfit, match="pictures of 6 x 6 pixels are too small, 8 x 8 are the least"):
        perturbation_plan(pictures(6), [domain(6)], ["natural"])


def test_no_pictures_are_no_set_to_perturb_and_no_crash() -> None:
    none, there = pictures(32).take([]), domain(32)
    for perturbation in PICTURES:
        assert "there are no pictures" in str(perturbation.unfit(none, there))
        assert len(Condition(perturbation, 1, there).apply(none, [])) == 0


def test_all_of_pictures_are_registered() -> None:
    assert [each.name for each in PICTURES] == [each.name for each in PERTURBATIONS if each.kind == "pictures"]
    assert len(CORRUPTIONS) == 15
    assert all(len(each.severities) == 5 for each in CORRUPTIONS)
