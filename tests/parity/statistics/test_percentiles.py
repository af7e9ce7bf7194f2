"""Percentiles of latencies: MLPerf's early stopping."""

import math

import numpy as np
import pytest

from edgekit.parity.statistics.percentiles import needed_count, percentile_ns


@pytest.mark.parametrize(("percent", "needed"), [(50, 1), (90, 64), (95, 130), (99, 662), (99.9, 6636)])
def test_a_percentile_needs_as_many_latencies_as_mlperf_demands(percent: float, needed: int) -> None:
    assert needed_count(percent) == needed
    assert percentile_ns(np.arange(needed), percent) is not None
    assert percentile_ns(np.arange(needed - 1), percent) is None


def test_the_median_is_the_median() -> None:
    assert percentile_ns(np.array([40, 10, 20, 1000]), 50) == 30
    assert percentile_ns(np.empty(0, np.int64), 50) is None


def test_the_fewest_latencies_support_only_their_slowest() -> None:
    latency_ns = np.random.default_rng(0).permutation(64)
    assert percentile_ns(latency_ns, 90) == 63


def test_an_estimated_percentile_is_rarely_below_the_true_one() -> None:
    rng = np.random.default_rng(3)
    true = math.log(10)  # the 90th percentile of the exponential distribution
    estimates = [percentile_ns(rng.exponential(1e6, 200).astype(np.int64), 90) for _ in range(1000)]
    too_low = sum(estimate is not None and estimate < true * 1e6 for estimate in estimates)
    assert too_low <= 20  # 1 % is promised


def test_an_estimated_percentile_nears_the_true_one_as_latencies_grow_in_number() -> None:
    assert percentile_ns(np.arange(1_000_000), 90) == pytest.approx(900_000, rel=0.001)
