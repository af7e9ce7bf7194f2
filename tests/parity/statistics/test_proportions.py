"""Intervals and tests of proportions, held against published examples, exact arithmetic, and SciPy."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import binomtest, norm

from edgekit.parity.statistics.proportions import (
    mcnemar_mid_p,
    mcnemar_p,
    tango,
    tango_bounds,
    tango_statistic,
    wilson,
)

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


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_as_newcombe_printed_it_and_as_scipy_computes_it(
    right: int, count: int, low: float, high: float
) -> None:
    interval = wilson(right / count, count)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)  # Newcombe (1998), table I, method 3
    theirs = binomtest(right, count).proportion_ci(method="wilson")
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize(
    ("won", "lost", "count", "confidence", "low", "high", "digits"),
    [
        (0, 1, 44, 0.95, -0.096, None, 3),  # Tango (1998), section 6.1: contact lenses
        (1, 7, 21, 0.975, -0.517, -0.026, 3),  # Fagerland, Lydersen & Laake (2014), table II: airways
        (16, 8, 86, 0.975, -0.020, 0.207, 3),  # Agresti & Min (2005), section 3
    ],
)
def test_tango_is_the_interval_of_published_examples(
    won: int, lost: int, count: int, confidence: float, low: float, high: float | None, digits: int
) -> None:
    """`won` is of the first treatment, whose share less the second's is what the papers give."""
    interval = tango(won, lost, count, confidence)
    assert interval.value == (won - lost) / count
    assert round(interval.low, digits) == low
    assert high is None or round(interval.high, digits) == high


def test_tangos_statistic_is_that_of_the_paper() -> None:
    statistic = float(tango_statistic(0, 1, 44, -0.1))
    assert round(statistic, 3) == 1.709
    assert round(norm.sf(statistic), 3) == 0.044


def score_by_search(lost: int, won: int, count: int, difference: float) -> float:
    """Tango's statistic with the restricted likelihood searched, in place of the root of an equation."""

    def negative(smaller: float) -> float:
        cells = np.array([smaller + max(difference, 0), smaller - min(difference, 0)])
        rest = 1 - cells.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            return -float(
                sum(n * np.log(p) for n, p in zip((lost, won, count - lost - won), (*cells, rest), strict=True) if n)
            )

    most = (1 - abs(difference)) / 2
    smaller = minimize_scalar(negative, bounds=(0, most), method="bounded", options={"xatol": 1e-13}).x
    variance = 2 * smaller + abs(difference) - difference**2
    return float((lost - won - count * difference) / math.sqrt(count * variance))


@pytest.mark.parametrize(("lost", "won", "count"), [(3, 5, 100), (12, 4, 1000), (1, 7, 21), (40, 20, 160)])
def test_tangos_statistic_is_that_of_a_searched_likelihood(lost: int, won: int, count: int) -> None:
    for difference in (-0.3, -0.02, 0.01, 0.1):
        ours = float(tango_statistic(lost, won, count, difference))
        assert ours == pytest.approx(score_by_search(lost, won, count, difference), rel=1e-5)


@pytest.mark.parametrize(("lost", "won", "count"), [(0, 0, 90), (3, 0, 500), (0, 7, 60), (40, 31, 5000), (9, 30, 100)])
@pytest.mark.parametrize("confidence", [0.8, 0.999])
def test_tangos_bounds_solve_its_equation_to_a_billionth(lost: int, won: int, count: int, confidence: float) -> None:
    interval, z = tango(lost, won, count, confidence), norm.ppf(confidence)
    numbers = lost, won, count
    for sign, bound in ((1, interval.low), (-1, interval.high)):
        excess = lambda d, sign=sign: float(tango_statistic(*numbers, d)) - sign * z  # noqa: E731
        end = brentq(excess, (lost - won) / count, -sign * (1 - 1e-12), xtol=1e-14)
        assert bound == pytest.approx(end, abs=1e-9)


@settings(max_examples=50)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 1000), st.sampled_from((-1.0, -0.02, 0.0, 0.3, 1.0)))
def test_one_measurement_has_the_numbers_of_many(lost: int, won: int, rest: int, tested: float) -> None:
    count = lost + won + rest
    many = np.array([lost]), np.array([won]), np.array([count])
    assert float(tango_statistic(lost, won, count, tested)) == tango_statistic(*many, tested)[0]
    bounds = tango_bounds(lost, won, count, 0.95), tango_bounds(*many, 0.95)
    assert [float(bound) for bound in bounds[0]] == [bound[0] for bound in bounds[1]]


@settings(max_examples=25)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 1000))
def test_tango_mirrors_the_two_sides(lost: int, won: int, rest: int) -> None:
    count = max(1, lost + won + rest)
    here, there = tango(lost, won, count, 0.95), tango(won, lost, count, 0.95)
    assert (here.low, here.high) == pytest.approx((-there.high, -there.low), abs=1e-12)
    assert -1 <= here.low <= here.value <= here.high <= 1


def test_tango_without_a_flip_is_no_certainty() -> None:
    z = norm.ppf(0.95)
    assert tango(0, 0, 50, 0.95).high == pytest.approx(z * z / (50 + z * z), abs=1e-12)


@pytest.mark.parametrize("count", [100, 300, 1000])
@pytest.mark.parametrize(("lost", "won"), [(0.01, 0.0), (0.02, 0.0), (0.015, 0.005), (0.03, 0.02), (0.005, 0.005)])
def test_tango_misses_as_rarely_as_it_says(count: int, lost: float, won: float) -> None:
    """10,000 trials of each; that a candidate passes wrongly is the miss of the upper bound."""
    b, c, _ = np.random.default_rng(3).multinomial(count, [lost, won, 1 - lost - won], 10_000).T.astype(float)
    low, high = tango_bounds(b, c, np.full(10_000, float(count)), 0.95)
    assert (high < lost - won - 1e-12).mean() <= 0.07
    assert (low > lost - won + 1e-12).mean() <= 0.09


@pytest.mark.parametrize(
    ("b", "c", "exact", "mid"),
    [(1, 7, 0.0703, 0.0391), (6, 16, 0.0525, 0.0347)],  # Fagerland, Lydersen & Laake (2013), tables 1 and 2
)
def test_mcnemars_p_is_as_fagerland_printed_it(b: int, c: int, exact: float, mid: float) -> None:
    assert (round(mcnemar_p(b, c), 4), round(mcnemar_mid_p(b, c), 4)) == (exact, mid)


@given(counts, counts)
def test_the_mid_p_is_the_exact_p_less_the_chance_of_what_was_seen(b: int, c: int) -> None:
    seen = Fraction(math.comb(b + c, b), 2 ** (b + c))
    less = seen / 2 if b == c and b else (Fraction(0) if b == c else seen)
    assert mcnemar_mid_p(b, c) == pytest.approx(float(exact_mcnemar(b, c) - less), rel=1e-9)
