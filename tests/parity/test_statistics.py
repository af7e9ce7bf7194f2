import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.ir.measurement import Array
from edgekit.parity.statistics import mcnemar_p, needed_count, paired_bootstrap, percentile_ns, wilson

counts = st.integers(0, 60)


def exact_mcnemar(b: int, c: int) -> Fraction:
    """The p-value by counting: of all 2^(b + c) ways to deal out the flips, the share at least as lopsided."""
    fewer = sum(math.comb(b + c, k) for k in range(min(b, c) + 1))
    return min(Fraction(1), Fraction(2 * fewer, 2 ** (b + c)))


@given(counts, counts)
def test_mcnemar_is_the_exact_binomial_test(b: int, c: int) -> None:
    assert mcnemar_p(b, c) == pytest.approx(float(exact_mcnemar(b, c)), rel=1e-9)


@given(counts, counts)
def test_mcnemar_does_not_care_which_side_is_the_reference(b: int, c: int) -> None:
    assert mcnemar_p(b, c) == mcnemar_p(c, b)


def test_mcnemar_says_nothing_where_nothing_flipped() -> None:
    assert mcnemar_p(0, 0) == 1.0


def test_mcnemar_holds_for_many_flips() -> None:
    assert mcnemar_p(5000, 5000) == 1.0
    # The normal approximation with continuity correction: z = 199 / sqrt(9800).
    assert mcnemar_p(5000, 4800) == pytest.approx(math.erfc(199 / math.sqrt(9800) / math.sqrt(2)), rel=1e-3)


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


@pytest.mark.parametrize(
    ("count", "reference_only", "candidate_only"),
    [(100, 0.03, 0.01), (300, 0.01, 0.0), (300, 0.02, 0.03), (1000, 0.01, 0.0), (1000, 0.03, 0.01)],
)
def test_bounds_at_95_percent_cover_the_true_drop_about_as_often(
    count: int, reference_only: float, candidate_only: float
) -> None:
    rng, truth, trials = np.random.default_rng(7), reference_only - candidate_only, 400
    below = above = 0
    for b, c, same in rng.multinomial(
        count, [reference_only, candidate_only, 1 - reference_only - candidate_only], trials
    ):
        drop = paired_bootstrap(np.repeat([1.0, -1.0, 0.0], [b, c, same]), 0.95, resamples=1000)
        below += drop.low <= truth + 1e-12
        above += drop.high >= truth - 1e-12
    assert below / trials >= 0.92
    assert above / trials >= 0.92


def test_wilson_is_the_interval_of_the_book() -> None:
    # Newcombe (1998), table I, method 3: 81 of 263.
    interval = wilson(81 / 263, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize(("right", "low", "high"), [(0, 0.0, 0.0370), (100, 0.9630, 1.0)])
def test_wilson_is_not_certain_at_the_ends(right: int, low: float, high: float) -> None:
    interval = wilson(right / 100, 100)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_mirrors_right_and_wrong(drawn: tuple[int, int]) -> None:
    right, count = drawn
    interval, mirrored = wilson(right / count, count), wilson((count - right) / count, count)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)


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
