"""Bootstraps of independent samples and of whole groups."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.ir.measurement import Array
from edgekit.parity.statistics import bootstrap, clusters
from edgekit.parity.statistics.bootstrap import paired_bootstrap, pooled_bootstrap
from edgekit.parity.statistics.clusters import cluster_bootstrap, pooled_cluster_bootstrap


def every_resampled_mean(differences: list[float]) -> Array:
    """The mean of each of the n^n resamples of the differences and one flip in each direction.

    A flip is a whole point, or the largest difference where scores are graded.
    """
    graded = any(difference % 1 for difference in differences)
    flip = max(map(abs, differences)) if graded else 1.0
    pool = np.array([*differences, flip, -flip])
    picks = np.array(list(itertools.product(range(len(pool)), repeat=len(pool))))
    means: Array = pool[picks].mean(axis=1)
    return means


@pytest.mark.parametrize("differences", [[0.0], [0.0, 0.0, 0.0], [1.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.5, 0.25, -0.75]])
def test_the_bootstrap_draws_from_every_resample_of_the_pairs_and_two_opposite_flips(differences: list[float]) -> None:
    exact = every_resampled_mean(differences)
    for confidence in (0.7, 0.9):
        bound = paired_bootstrap(np.array(differences), confidence, resamples=200_000).high
        # Where the distribution jumps, a draw may fall on either side of the jump; both sides have the right mass.
        assert (exact < bound - 1e-9).mean() <= confidence + 0.005
        assert (exact <= bound + 1e-9).mean() >= confidence - 0.005


def test_the_bootstrap_gives_the_same_bounds_each_time() -> None:
    differences = np.array([1.0, 0.0, -1.0, 0.0] * 50)
    assert paired_bootstrap(differences, 0.95) == paired_bootstrap(differences, 0.95)


@pytest.mark.parametrize(("confidence", "resamples"), [(0.5, 2000), (0.95, 2000), (0.99, 10_000)])
def test_a_hundred_resamples_lie_beyond_each_bound(confidence: float, resamples: int) -> None:
    differences = np.linspace(-1, 1, 50) ** 3
    assert paired_bootstrap(differences, confidence) == paired_bootstrap(differences, confidence, resamples)


def test_the_value_is_the_plain_mean_and_lies_between_the_bounds() -> None:
    drop = paired_bootstrap(np.array([1.0] * 3 + [-1.0] + [0.0] * 96), 0.95)
    assert drop.value == 0.02
    assert drop.low < 0.02 < drop.high


@given(st.integers(1, 400), st.integers(0, 20), st.integers(0, 20))
def test_the_bounds_hold_the_value_whatever_flipped(same: int, b: int, c: int) -> None:
    drop = paired_bootstrap(np.repeat([0.0, 1.0, -1.0], [same, b, c]), 0.95, resamples=200)
    assert -1 <= drop.low <= drop.value <= drop.high <= 1


def test_no_flip_among_few_samples_is_no_certainty() -> None:
    few, many = (paired_bootstrap(np.zeros(count), 0.95) for count in (50, 5000))
    assert few.value == many.value == 0.0
    assert few.high >= 0.02
    assert many.high <= 0.001


def test_as_many_distinct_differences_as_samples_stay_within_memory() -> None:
    differences = np.linspace(-1, 1, 3000)
    drop = paired_bootstrap(differences, 0.95)
    normal = 1.645 * differences.std() / math.sqrt(len(differences))
    assert drop.high == pytest.approx(normal, rel=0.1)
    assert drop.low == pytest.approx(-normal, rel=0.1)


def test_more_distinct_differences_than_a_bootstrap_draws_have_the_bounds_of_the_normal_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    differences = np.random.default_rng(0).normal(0.01, 0.1, 3000)
    drawn = paired_bootstrap(differences, 0.95)
    monkeypatch.setattr(bootstrap, "DISTINCT", 1000)
    limit = paired_bootstrap(differences, 0.95)
    assert (limit.low, limit.high) == pytest.approx((drawn.low, drawn.high), abs=3e-4)


def test_a_large_set_is_resampled_in_part_and_its_interval_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(0.5, 0.1, 8000)
    statistic = lambda indices: float(np.median(values[indices]))  # noqa: E731
    whole = pooled_bootstrap(statistic, 8000, 0.95)
    monkeypatch.setattr(bootstrap, "POOLED_DRAWS", 500)
    part = pooled_bootstrap(statistic, 8000, 0.95)
    assert part.value == whole.value
    assert part.high - part.low == pytest.approx(whole.high - whole.low, rel=0.2)


def test_frames_of_few_videos_say_less_than_as_many_independent_ones() -> None:
    rng = np.random.default_rng(0)
    videos = np.repeat(np.arange(8), 15)
    differences = np.repeat((rng.random(8) < 0.4).astype(float), 15)
    alone = paired_bootstrap(differences, 0.95)
    grouped = cluster_bootstrap(differences, videos, 0.95)
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_groups_that_are_all_alike_are_no_certainty() -> None:
    assert cluster_bootstrap(np.zeros(120), np.repeat(np.arange(8), 15), 0.95).high > 0.1
    assert cluster_bootstrap(np.zeros(120_000), np.repeat(np.arange(8000), 15), 0.95).high < 0.001
    one = cluster_bootstrap(np.zeros(120), np.zeros(120, np.int64), 0.95)
    assert (one.low, one.high) == (-1, 1)


def test_many_groups_have_the_bounds_of_the_normal_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(0).choice([0.0, 1.0, -1.0], 3000, p=[0.95, 0.03, 0.02])
    groups = np.arange(3000) // 10
    drawn = cluster_bootstrap(differences, groups, 0.95)
    monkeypatch.setattr(clusters, "MANY", 100)
    limit = cluster_bootstrap(differences, groups, 0.95)
    assert (limit.low, limit.high) == pytest.approx((drawn.low, drawn.high), abs=1e-3)


def test_a_metric_that_is_no_mean_is_resampled_by_whole_groups() -> None:
    groups = np.random.default_rng(1).permutation(np.repeat(np.arange(40), 5))
    values = np.sin(groups * 1.0)
    statistic = lambda indices: float(np.median(values[indices]))  # noqa: E731
    grouped = pooled_cluster_bootstrap(statistic, groups, 0.9)
    alone = pooled_bootstrap(statistic, 200, 0.9)
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


@pytest.mark.parametrize("likeness", [0.0, 0.3])
def test_bounds_over_videos_cover_the_true_drop_about_as_often_as_stated(likeness: float) -> None:
    rng, covered, trials = np.random.default_rng(2), 0, 100
    videos = np.repeat(np.arange(20), 15)
    for _ in range(trials):
        shared, own = rng.random(20)[videos], rng.random(300)
        drawn = np.where(rng.random(300) < math.sqrt(likeness), shared, own)
        differences = np.where(drawn < 0.06, 1.0, np.where(drawn < 0.1, -1.0, 0.0))
        covered += cluster_bootstrap(differences, videos, 0.95).high >= 0.02
    assert covered / trials >= 0.88
