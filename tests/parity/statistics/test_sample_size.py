"""Numbers of samples that decide what fewer leave undecided."""

import numpy as np
import pytest

from edgekit.parity.statistics.equivalence import decide
from edgekit.parity.statistics.estimate import Estimate
from edgekit.parity.statistics.proportions import tango, tango_bounds
from edgekit.parity.statistics.sample_size import planning_confidence, settling_count, shrunk, two_digits


@pytest.mark.parametrize(("count", "shown"), [(361.2, 370), (7, 7), (99.5, 100), (1_234_567, 1_300_000), (40, 40)])
def test_a_number_is_rounded_up_to_two_digits(count: float, shown: int) -> None:
    assert two_digits(count) == shown


def test_as_many_samples_as_told_decide_four_times_in_five() -> None:
    lost, won, limit = 0.012, 0.008, 0.01
    expected = lambda n: tango(lost * n, won * n, n, planning_confidence(0.95))  # noqa: E731
    needed = settling_count(expected, 500, None, limit)
    assert needed is not None
    b, c, _ = np.random.default_rng(0).multinomial(needed, [lost, won, 1 - lost - won], 10_000).T.astype(float)
    _, high = tango_bounds(b, c, np.full(10_000, float(needed)), 0.95)
    assert 0.77 <= (high <= limit).mean() <= 0.86


def test_a_value_on_its_limit_is_never_settled() -> None:
    reading = Estimate(0.01, 0.0, 0.02)
    assert settling_count(lambda n: shrunk(reading, 100, n, 0.95), 100, None, 0.01) is None


def test_two_limits_need_the_samples_of_the_nearer_one() -> None:
    reading = Estimate(0.004, -0.02, 0.03)
    one, two, other = (
        settling_count(lambda n: shrunk(reading, 100, n, 0.95), 100, least, most)
        for least, most in ((None, 0.01), (-0.01, 0.01), (-0.01, None))
    )
    assert other is not None
    assert one is not None
    assert one == two
    assert one > other


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(-0.01, 0.01, "passed"), (-0.011, 0.0, "undecided"), (0.0, 0.02, "undecided"), (0.011, 0.02, "failed"),
     (-0.1, -0.02, "failed"), (-0.2, 0.2, "undecided")],
)  # fmt: skip
def test_equivalence_is_two_one_sided_tests(low: float, high: float, outcome: str) -> None:
    assert decide(Estimate((low + high) / 2, low, high), -0.01, 0.01) == outcome
