"""Bounds and p-values of the loss of a slice, against SciPy and by counting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from edgekit.parity.slices.drop_interval import (
    excess_p,
    fewest_samples,
    graded_bounds,
    graded_error,
    graded_p,
    loss_p,
    score_bounds,
)

TABLES = [(12, 2, 100), (0, 3, 40), (30, 0, 90), (5, 5, 1000), (1, 0, 32), (40, 35, 80)]


def score(b: int, c: int, count: int, difference: float) -> float:
    """Score statistic of Tango (1998), its nuisance share found by maximizing the likelihood itself."""
    least = max(0.0, -difference)

    def unlikely(share: float) -> float:
        cells = ((b, share + difference), (c, share), (count - b - c, 1 - 2 * share - difference))
        return -sum(n * math.log(max(p, 1e-300)) for n, p in cells if n)

    most = (1 - difference) / 2
    share = optimize.minimize_scalar(unlikely, bounds=(least, most), method="bounded", options={"xatol": 1e-13}).x
    return (b - c - count * difference) / math.sqrt(count * (2 * share + difference * (1 - difference)))


@pytest.mark.parametrize(("b", "c", "count"), TABLES)
def test_at_the_upper_bound_the_score_statistic_is_the_normal_quantile(b: int, c: int, count: int) -> None:
    assert score(b, c, count, score_bounds(b, c, count, 0.95)[1]) == pytest.approx(-stats.norm.ppf(0.95), abs=2e-4)


@pytest.mark.parametrize(("b", "c", "count"), TABLES)
def test_the_lower_bound_is_tango_s_or_below_it_by_what_skewness_moves_it(b: int, c: int, count: int) -> None:
    low, z = score_bounds(b, c, count, 0.95)[0], stats.norm.ppf(0.95)
    tango = -score_bounds(c, b, count, 0.95)[1]
    assert tango - 0.01 < low <= tango + 1e-12
    assert score(b, c, count, tango) == pytest.approx(z, abs=2e-4)
    assert score_bounds(30, 0, 90, 0.995)[0] < -score_bounds(0, 30, 90, 0.995)[1] - 1e-3


def test_without_a_flip_the_bound_is_known_in_closed_form() -> None:
    z2 = stats.norm.ppf(0.95) ** 2
    assert score_bounds(0, 0, 133, 0.95) == pytest.approx((-z2 / (133 + z2), z2 / (133 + z2)), abs=1e-9)
    assert score_bounds(0, 4, 100, 0.95)[0] == pytest.approx(-score_bounds(4, 0, 100, 0.95)[1], abs=1e-9)
    assert score_bounds(0, 0, fewest_samples(0.02, 0.95), 0.95)[1] <= 0.02
    assert score_bounds(0, 0, fewest_samples(0.02, 0.95) - 1, 0.95)[1] > 0.02


def test_the_tails_are_those_of_scipy() -> None:
    for b, c, _ in TABLES:
        if b > c:
            assert loss_p(b, c) == pytest.approx(stats.binom.sf(b - 1, b + c, 0.5), rel=1e-9)
    assert loss_p(3, 3) == loss_p(0, 9) == loss_p(0, 0) == 1.0
    for inside, count, total, whole in ((3, 40, 10, 1000), (10, 500, 10, 1000), (1, 5, 900, 1000), (40, 80, 60, 2000)):
        expected = stats.hypergeom.sf(inside - 1, whole, total, count)
        assert excess_p(inside, count, total, whole) == pytest.approx(expected, rel=1e-8)
    assert excess_p(0, 40, 10, 1000) == 1.0
    assert excess_p(7, 7, 7, 7) == pytest.approx(1.0)


def test_graded_scores_have_student_s_interval() -> None:
    low, high = graded_bounds(0.1, 0.02, 40, 0.975)
    assert (high - 0.1) == pytest.approx(stats.t.ppf(0.975, 39) * 0.02, rel=1e-3)
    assert (0.1 - low) == pytest.approx(high - 0.1)
    assert graded_error(np.zeros(50)) == 0.0
    assert graded_error(np.array([0.5] + [0.0] * 49)) > np.array([0.5] + [0.0] * 49).std() / math.sqrt(50)
    assert graded_p(0.04, 0.02) == pytest.approx(stats.norm.sf(2))
    assert graded_p(-0.04, 0.02) == graded_p(0.0, 0.0) == 1.0
