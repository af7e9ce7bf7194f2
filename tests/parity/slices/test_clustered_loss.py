"""Slices of samples that come in groups: a video counts once, however many frames it has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from edgekit.ir.measurement import Array
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.slice_readings import slice_reading, slice_words
from edgekit.parity.slices.clustered_loss import difference_error, fewest_clusters, loss_bounds, mean_error
from edgekit.parity.slices.drop_interval import graded_bounds
from edgekit.parity.slices.slice import Slice
from edgekit.parity.slices.slice_parity import slice_parity
from edgekit.parity.statistics.clusters import cluster_bootstrap
from edgekit.parity.statistics.design_effect import design_effect, grouped_score_bounds
from edgekit.parity.statistics.estimate import Estimate
from edgekit.parity.statistics.proportions import tango_bounds
from edgekit.parity.statistics.student import student_share
from edgekit.specs.profile import Bound
from edgekit.tasks.metric import SHARE
from tests.parity.slices.test_slice_parity import paired

FRAMES = 40


def of_camera(name: str, members: Array) -> Slice:
    return Slice(f"camera = {name}", f"camera = {name}", "camera", "stated", members)


def videos(count: int, lost: int) -> tuple[Array, Array, Array]:
    """Scores of both endpoints on `count` videos, all frames of `lost` of them lost; then the video of each frame."""
    right, video = np.ones(count * FRAMES), np.repeat(np.arange(count), FRAMES)
    return right, (video >= lost).astype(np.float64), video


def test_two_lost_videos_of_many_frames_are_no_sure_loss_of_their_slice() -> None:
    right, wrong, video = videos(70, 2)
    members = np.arange(len(video)) < 10 * FRAMES
    alone = slice_parity(paired(right, wrong), [of_camera("a", members), of_camera("b", ~members)])
    grouped = slice_parity(
        replace(paired(right, wrong), groups=video), [of_camera("a", members), of_camera("b", ~members)]
    )
    assert alone.sentence.startswith("Worst slice: camera = a (400 samples): loses 20 points")
    assert grouped.sentence.startswith("Of 2 slices of 32 samples or more, none is sure to lose more")
    record, bound = grouped.slices[0], Bound(max=0.05)
    assert (record.samples, record.clusters) == (400, 10)
    assert record.drop == pytest.approx(0.2)
    assert record.low is not None
    assert record.low < 0 < 0.2 < (record.high or 0)
    failed = slice_reading("worst_slice_drop", bound, alone, SHARE)
    assert isinstance(failed, Estimate)
    assert failed.low > 0.05
    undecided = slice_reading("worst_slice_drop", bound, grouped, SHARE)
    assert isinstance(undecided, Estimate)
    assert undecided.low < 0.05
    gap = slice_reading("fairness_gap", bound, grouped, SHARE)
    sure = slice_reading("fairness_gap", bound, alone, SHARE)
    assert isinstance(gap, Estimate)
    assert isinstance(sure, Estimate)
    assert gap.low < 0 < 0.1 < sure.low


def test_a_loss_in_every_video_of_a_slice_is_a_sure_one() -> None:
    right, _, video = videos(60, 0)
    members = np.arange(len(video)) < 30 * FRAMES
    wrong = np.where(members & (np.arange(len(video)) % 4 == 0), 0.0, 1.0)
    parity = slice_parity(replace(paired(right, wrong), groups=video), [of_camera("a", members)])
    assert parity.sentence == (
        "Worst slice: camera = a (1,200 samples in 30 groups): loses 25 points, all others 0 points."
    )
    assert "camera = a, 1,200 samples in 30 groups" in slice_words("worst_slice_drop", Bound(max=0.2), parity, SHARE)


def test_one_video_is_not_judged_and_few_can_only_fail() -> None:
    right, wrong, video = videos(20, 0)
    grouped = replace(paired(right, wrong), groups=video)
    (one,) = slice_parity(grouped, [of_camera("a", video == 0)]).slices
    assert (one.judged, one.clusters, one.standard_error, one.low) == (False, 1, None, None)
    reading = slice_reading(
        "worst_slice_drop", Bound(max=0.05), slice_parity(grouped, [of_camera("a", video < 9)]), SHARE
    )
    assert isinstance(reading, MissingValue)
    assert "no slice has the 54 groups that the limit takes" in reading.reason
    assert fewest_clusters(0.05, 0.95) == 54
    for count, fits in ((53, False), (54, True)):
        half = mean_error(np.zeros(20 * count), np.repeat(np.arange(count), 20))
        assert (loss_bounds(0.0, (0, 0), 20 * count, half, count, 0.95)[1] <= 0.05) is fits


def test_errors_are_those_of_whole_clusters() -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(200), 5)
    values = rng.normal(size=200)[clusters] + 0.1 * rng.normal(size=1000)
    assert mean_error(values, clusters) == pytest.approx(1 / np.sqrt(200), rel=0.15)
    # Each cluster has samples in both halves, so that what it shares cancels out in their difference.
    halves = np.arange(1000) % 2 == 0
    assert difference_error(values, halves, clusters) < mean_error(values, clusters) / 2
    assert student_share(1.894578605, 7) == pytest.approx(0.95, abs=1e-9)
    assert student_share(2.1, 900) == pytest.approx(stats.t.cdf(2.1, 900), abs=1e-5)


def test_bounds_over_few_clusters_of_rare_losses_err_as_rarely_as_they_say() -> None:
    rng, count, confidence, trials, true = np.random.default_rng(5), 8, 0.95, 250, 0.05
    wrong = np.zeros(3)
    for _ in range(trials):
        sizes, rates = rng.integers(15, 45, count), rng.beta(0.2, 3.8, count)  # 5 %, correlated by 0.2 within a video
        clusters, lost = np.repeat(np.arange(count), sizes), rng.binomial(sizes, rates)
        losses = np.concatenate([np.arange(size) < some for size, some in zip(sizes, lost, strict=True)]).astype(float)
        mean, error = float(losses.mean()), mean_error(losses, clusters)
        low, high = loss_bounds(mean, (int(lost.sum()), 0), len(losses), error, count, confidence)
        wrong += low > true, high < true, graded_bounds(mean, error, count, confidence)[1] < true
    missed = wrong / trials
    assert max(missed[:2]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
    # Student's t about the mean, with the same error, knows nothing of losses that few clusters do not show.
    assert missed[2] > missed[1] + 0.04


def test_a_cluster_is_worth_one_sample_where_all_are_alike() -> None:
    assert design_effect(0, 0, 320, 0.125, 8) == 40
    assert design_effect(320, 0, 320, 0.125, 8) == 40
    independent = np.sqrt(0.1 * 0.9 / 300)
    assert design_effect(30, 0, 300, independent, 10) == pytest.approx(1)
    assert design_effect(30, 0, 300, 2 * independent, 10) == pytest.approx(4)
    bounds = grouped_score_bounds(30, 0, 300, independent, 9000, 0.95)
    assert bounds == pytest.approx(tuple(map(float, tango_bounds(30, 0, 300, 0.95))), abs=1e-4)
    # An agreement near 1 is bounded by what does not agree.
    values, groups = (np.arange(300) >= 3).astype(float), np.arange(300) // 30
    agrees, differs = (cluster_bootstrap(each, groups, 0.95) for each in (values, 1 - values))
    assert agrees.low == pytest.approx(1 - differs.high, abs=0.01)
    two = cluster_bootstrap(values, np.arange(300) // 150, 0.9999)
    assert two.low < 0.2
    assert two.high == 1.0


def test_bounds_of_clustered_losses_err_as_rarely_as_they_say() -> None:
    rng, confidence, trials = np.random.default_rng(3), 0.95, 600
    wrong = np.zeros(2)
    for _ in range(trials):
        rates, sizes = rng.beta(1.2, 18.8, 60), rng.integers(15, 45, 60)  # 6 %, correlated by 0.05 within a video
        clusters = np.repeat(np.arange(60), sizes)
        losses = (rng.random(len(clusters)) < rates[clusters]).astype(float)
        low, high = graded_bounds(float(losses.mean()), mean_error(losses, clusters), 60, confidence)
        wrong += low > 0.06, high < 0.06
    assert max(wrong / trials) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
