"""Sequential looks: bounds against exact integrals, and errors by simulation."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from scipy.stats import t as student

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.proportions import tango_statistic
from edgekit.parity.statistics.sequential import look_confidences, look_counts, spending_bounds
from edgekit.parity.statistics.student import student_quantile


def test_the_last_look_is_at_all_samples_and_the_first_not_at_too_few() -> None:
    assert look_counts(10_000) == (313, 625, 1250, 1875, 2500, 3750, 5000, 7500, 10_000)
    assert look_counts(40) == (40,)
    assert look_counts(500) == (63, 94, 125, 188, 250, 375, 500)


def test_one_look_is_the_plain_bound() -> None:
    assert look_confidences((500,), 0.95) == pytest.approx((0.95,), abs=1e-12)


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("power", [1.0, 3.0])
def test_two_looks_spend_what_the_normal_distribution_of_both_says(fraction: float, power: float) -> None:
    first, second = spending_bounds((fraction, 1.0), 0.05, power)
    assert norm.sf(first) == pytest.approx(0.05 * fraction**power, abs=1e-12)
    both = multivariate_normal(cov=[[1, fraction**0.5], [fraction**0.5, 1]])
    assert both.cdf(np.array([first, second])) == pytest.approx(0.95, abs=1e-6)


def passed_and_failed(counts: tuple[int, ...], lost: float, won: float, limit: float) -> tuple[Array, Array]:
    """Flags [looks, 10,000] of simulated measurements whose bounds pass, or fail, a limit of their accuracy drop."""
    rng, bounds = np.random.default_rng(4), norm.ppf(look_confidences(counts, 0.95))[:, None]
    steps = np.diff((0, *counts))
    draws = np.stack([rng.multinomial(step, [lost, won, 1 - lost - won], 10_000) for step in steps]).cumsum(0)
    seen = np.array(counts, float)[:, None]
    statistic = tango_statistic(draws[..., 0], draws[..., 1], seen, limit)
    return statistic <= -bounds, statistic > bounds


@pytest.mark.parametrize("total", [500, 10_000])
@pytest.mark.parametrize(("lost", "won"), [(0.01, 0.0), (0.02, 0.01), (0.06, 0.05)])
def test_looks_pass_or_fail_a_drop_on_its_limit_as_rarely_as_stated(total: int, lost: float, won: float) -> None:
    passed, failed = passed_and_failed(look_counts(total), lost, won, 0.01)
    assert passed.any(0).mean() <= 0.056
    assert failed.any(0).mean() <= 0.064


def test_a_sound_candidate_is_passed_by_a_third_of_the_samples() -> None:
    counts = look_counts(10_000)
    passed, _ = passed_and_failed(counts, 0.01, 0.009, 0.01)
    asked = np.array(counts)[np.where(passed.any(0), passed.argmax(0), len(counts) - 1)]
    assert passed.any(0).mean() > 0.99
    assert asked.mean() < 10_000 / 3


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 8, 30, 99, 499, 500, 5000])
def test_students_quantile_is_scipys(freedom: int) -> None:
    for confidence in (0.5, 0.9, 0.95, 0.999):
        ours = student_quantile(confidence, freedom)
        assert ours == pytest.approx(student.ppf(confidence, freedom), rel=1e-9, abs=1e-9)
