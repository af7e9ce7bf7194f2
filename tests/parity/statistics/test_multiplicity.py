"""Adjusted p-values, held against published examples and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.multiplicity import benjamini_hochberg, holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)
# Benjamini & Hochberg (1995), section 4: fifteen hypotheses of a trial of thrombolysis.
PUBLISHED = np.array(
    [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1]
)


def test_the_published_example_rejects_four_by_the_rate_and_three_by_holm() -> None:
    assert (benjamini_hochberg(PUBLISHED) <= 0.05).sum() == 4
    assert (holm(PUBLISHED) <= 0.05).sum() == 3


@given(P_VALUES)
def test_benjamini_and_hochberg_are_as_scipy_has_them(p: Array) -> None:
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p), abs=1e-9)


@given(P_VALUES)
def test_holm_rejects_step_by_step(p: Array) -> None:
    for alpha in (0.01, 0.05, 0.3):
        rejected, order = np.zeros(len(p), bool), np.argsort(p, kind="stable")
        for step, i in enumerate(order):
            if p[i] * (len(p) - step) > alpha:
                break
            rejected[i] = True
        assert (holm(p) <= alpha).tolist() == rejected.tolist()


def test_holm_errs_on_any_of_twenty_true_hypotheses_as_rarely_as_stated() -> None:
    p = np.random.default_rng(0).random((10_000, 20))
    errors = sum((holm(row) <= 0.05).any() for row in p)
    assert 0.04 <= errors / 10_000 <= 0.056
