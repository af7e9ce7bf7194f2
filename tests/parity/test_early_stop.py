"""Looks at answers before all samples were asked: what decides them, and what the gates say of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.parity.compare import compare
from edgekit.parity.early_stop import EarlyStop
from edgekit.parity.look import decided
from edgekit.parity.statistics.sequential import look_counts
from edgekit.specs.profile import Gates
from edgekit.stratification import random_order
from edgekit.tasks.classification import Classification
from tests.parity.examples import pair
from tests.parity.gate_examples import facts, judged

GATES = Gates.model_validate({"accuracy_drop": {"max": 0.01, "confidence": 0.95}, "agreement": {"min": 0.97}})
LOOKS = look_counts(10_000)


def stop(asked: int) -> EarlyStop:
    return EarlyStop(asked=asked, of=10_000, looks=LOOKS, reason="they decide every gate")


@pytest.mark.parametrize(
    ("asked", "lost", "enough"),
    [(625, 0, False), (1250, 0, True), (1250, 12, False), (1250, 40, False), (1250, 120, True), (313, 313, True)],
)
def test_a_look_is_enough_once_every_gate_passes_or_fails(asked: int, lost: int, enough: bool) -> None:
    reference, candidate = pair(asked, lost, 0)
    assert decided(reference, candidate.outputs, Classification(), GATES, stop(asked)) == enough


def test_without_a_gate_on_answers_no_look_is_enough() -> None:
    reference, candidate = pair(1250, 0, 0)
    gates = Gates.model_validate({"size_ratio": {"max": 1}, "reference_accuracy": {"min": 1.0, "confidence": 0.95}})
    assert not decided(reference, candidate.outputs, Classification(), gates, stop(1250))


def test_answers_that_are_not_finite_end_the_measurement_at_the_first_look() -> None:
    reference, candidate = pair(313, 0, 0)
    broken = {name: np.full_like(array, np.nan) for name, array in candidate.outputs.items()}
    with pytest.raises(DataError, match="NaN"):
        decided(reference, broken, Classification(), GATES, stop(313))


def test_bounds_at_a_look_are_wider_and_the_gate_says_that_they_hold_over_all_looks() -> None:
    paired = compare(*pair(1250, 2, 0), Classification())
    early = replace(paired, early_stop=stop(1250))
    bound = {"max": 0.01, "confidence": 0.95}
    plain, looked = (judged("accuracy_drop", bound, facts(one)).meaning for one in (paired, early))
    assert "95 % sure of each)" in plain
    assert "95 % sure of each over all looks)" in looked
    assert stop(1250).confidence(0.95) == pytest.approx(0.9963, abs=1e-4)
    agreement = judged("agreement", {"min": 0.97}, facts(early))
    assert agreement.outcome == "passed"
    assert "over all looks" in agreement.meaning, "it states no confidence, and not all samples were asked"
    assert stop(10_000).confidence(None) is None, "all samples decide as they are"


def shares(order: Array, labels: Array) -> Array:
    return np.bincount(labels[order], minlength=3) / len(order)


def test_every_beginning_of_the_order_has_its_share_of_every_class() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    order = random_order(1000, labels)
    assert sorted(order.tolist()) == list(range(1000))
    for count in (50, 200, 500):
        assert shares(order[:count], labels) == pytest.approx([0.6, 0.3, 0.1], abs=2 / count)
    assert np.abs(np.corrcoef(order[labels[order] == 0], np.arange(600))[0, 1]) < 0.15
    np.testing.assert_array_equal(order, random_order(1000, labels))


def test_samples_of_a_group_follow_each_other_in_the_order() -> None:
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 5))
    drawn = groups[random_order(100, None, groups)].reshape(20, 5)
    assert (drawn == drawn[:, :1]).all()
    assert drawn[:, 0].tolist() != sorted(drawn[:, 0].tolist())


def test_an_interval_of_few_groups_is_wider_and_the_gate_counts_them() -> None:
    reference, candidate = pair(120, 3, 1)
    videos = replace(reference, groups=np.repeat(np.arange(8), 15))
    bound = {"max": 0.01, "confidence": 0.95}
    alone = judged("accuracy_drop", bound, facts(compare(reference, candidate, Classification())))
    grouped = judged("accuracy_drop", bound, facts(compare(videos, candidate, Classification()), group="video"))
    assert "on 120 samples (between" in alone.meaning
    assert "on 120 samples of 8 groups by 'video' (between" in grouped.meaning
    each = replace(reference, groups=np.arange(120))
    assert judged("accuracy_drop", bound, facts(compare(each, candidate, Classification()))) == alone
