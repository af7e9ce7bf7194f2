"""Super-resolution and denoising: PSNR by its formula, SSIM by SciPy's Gaussian filter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.registry import task_named
from edgekit.tasks.restoration import HIGHEST_DB, Restoration
from edgekit.tasks.structural_similarity import ssim

SHAPE = (4, 3, 20, 24)


def images(seed: int = 0, noise: float = 0.05) -> tuple[Array, Array]:
    """Answers and true images in [0, 1], some of the answers outside."""
    random = np.random.default_rng(seed)
    truth = gaussian_filter(random.random(SHAPE), (0, 0, 2, 2)).astype(np.float32)
    truth = (truth - truth.min()) / np.ptp(truth)
    return truth + random.normal(scale=noise, size=SHAPE).astype(np.float32), truth


def psnr(first: Array, second: Array, peak: float = 1.0) -> float:
    return float(10 * np.log10(peak**2 / np.mean((first.astype(np.float64) - second) ** 2)))


def oracle_ssim(x: Array, y: Array, peak: float) -> float:
    """The formula on SciPy's filter, over all places of the window inside: what scikit-image gives with
    gaussian_weights and use_sample_covariance=False."""
    x, y = x.astype(np.float64), y.astype(np.float64)

    def mean(image: Array) -> Array:
        return np.asarray(gaussian_filter(image, 1.5, truncate=3.5)[5:-5, 5:-5])

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    return float(((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def test_psnr_is_the_mean_over_images_of_values_within_range() -> None:
    answers, truth = images()
    task = Restoration()
    collected = task.collect(list(truth), 0)
    task.check({"image": answers}, collected)
    clipped = np.clip(answers, 0, 1)
    expected = [psnr(clipped[i], truth[i]) for i in range(4)]
    scores = task.score(task.answers({"image": answers}), collected)
    assert scores.each == pytest.approx(expected)
    assert scores.value == pytest.approx(np.mean(expected))
    assert (task.metric.name, task.metric.unit) == ("psnr", "dB")
    assert task.score(truth, truth).value == HIGHEST_DB


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_ssim_is_of_a_gaussian_window_of_eleven(peak: float) -> None:
    answers, truth = (np.clip(one, 0, 1) * peak for one in images(1))
    expected = np.mean([oracle_ssim(answers[0, c], truth[0, c], peak) for c in range(3)])
    assert ssim(answers[0], truth[0], peak) == pytest.approx(expected)
    assert ssim(truth[0], truth[0], peak) == pytest.approx(1)
    task = Restoration(metric_name="ssim", peak=peak)
    assert task.score(answers, truth).each[0] == pytest.approx(expected)
    assert 0 < ssim(truth[0, :, :6, :9], answers[0, :, :6, :9], peak) < 1


def test_channels_and_border_may_be_stated() -> None:
    answers, truth = images(2)
    last = Restoration(channels="last", border=3, metric_name="ssim")
    turned = [np.moveaxis(one, 1, 3) for one in (np.clip(answers, 0, 1), truth)]
    last.check({"image": turned[0]}, turned[1])
    ours, theirs = (np.clip(one, 0, 1)[0, :, 3:-3, 3:-3] for one in (answers, truth))
    assert last.score(turned[0], turned[1]).each[0] == pytest.approx(ssim(ours, theirs, 1.0))
    assert Restoration(border=3).score(answers, truth).each[0] == pytest.approx(
        psnr(answers[0, :, 3:-3, 3:-3], truth[0, :, 3:-3, 3:-3])
    )


def test_bytes_stay_bytes_and_count_by_their_peak() -> None:
    answers, truth = (np.clip(255 * one, 0, 255) for one in images(3))
    task = Restoration(peak=255.0)
    collected = task.collect(list(truth.astype(np.uint8)), 0)
    assert collected.dtype == np.uint8
    expected = np.mean([psnr(answers[i], truth[i].astype(np.uint8), 255) for i in range(4)])
    assert task.score(task.answers({"o": answers}), collected).value == pytest.approx(expected)


def test_images_agree_by_the_psnr_between_them() -> None:
    _, truth = images(4)
    task = Restoration(agree_db=30.0)
    near, far = truth + 10 ** (-31 / 20), truth + 10 ** (-29 / 20)
    assert task.agreement(truth, truth).tolist() == [1] * 4
    assert task.agreement(truth, near).tolist() == [1] * 4
    assert task.agreement(truth, far).tolist() == [0] * 4


def test_the_other_metric_and_the_distance_to_the_reference_are_measured_beside_it() -> None:
    answers, truth = images(5)
    task = Restoration()
    other, between = task.secondary(truth, np.clip(answers, 0, 1), truth)
    assert other.name == "ssim"
    assert other.reference == pytest.approx(1)
    assert other.candidate == pytest.approx(np.mean([ssim(np.clip(answers, 0, 1)[i], truth[i], 1.0) for i in range(4)]))
    expected = np.mean([psnr(np.clip(answers, 0, 1)[i], truth[i]) for i in range(4)])
    assert between.unit == "dB"
    assert between.candidate == pytest.approx(expected)
    assert task.secondary(truth, answers, None) == task.secondary(truth, answers, None)
    assert len(task.secondary(truth, answers, None)) == 1


def test_chance_is_one_grey_image() -> None:
    _, truth = images(6)
    expected = np.mean([psnr(np.full(SHAPE[1:], truth.mean()), truth[i]) for i in range(4)])
    assert Restoration().chance(truth) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3, 4], r"label of sample 0 is int64 \[\], no image"),
        ([np.full((4, 4), 7.0)], "label of sample 0 has values from 7 to 7, which is not 0 to 1"),
        ([np.full((4, 4), -0.5)], "label of sample 0 has values from -0.5"),
        ([np.full((4, 4), np.nan)], "label of sample 0 has values from nan"),
        ([np.zeros((4, 4)), np.zeros((5, 4))], r"label of sample 1 is float64 \[5, 4\]"),
    ],
)
def test_labels_that_are_no_images_in_range_are_refused(labels: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Restoration().collect(labels, 0)


def test_images_of_another_size_than_the_output_are_refused() -> None:
    with pytest.raises(DataError, match=r"true images are \[3, 8, 8\], output 'o' is \[3, 16, 16\]"):
        Restoration().check({"o": np.zeros((2, 3, 16, 16))}, np.zeros((2, 3, 8, 8)))
    with pytest.raises(DataError, match="nothing is left of 8 x 8 pixels"):
        Restoration(border=4).check({"o": np.zeros((2, 3, 8, 8))}, None)
    with pytest.raises(DataError, match="images are"):
        Restoration().check({"o": np.zeros((2, 3))}, None)


def test_both_tasks_go_by_their_name() -> None:
    assert task_named("denoising", {"peak": 255.0}) == task_named("super-resolution", {"peak": 255.0})
