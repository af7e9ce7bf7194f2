"""The screen of calibration data, in numpy: ranges, equality, patches in the data, sizes of patches; its gates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.ir.measurement import Array
from edgekit.parity.adversarial import AdversarialSensitivity
from edgekit.parity.poisoning.common_patches import common_patches
from edgekit.parity.poisoning.equality import contradictions, equal_groups
from edgekit.parity.poisoning.patch_sizes import anomalies, outlying
from edgekit.parity.poisoning.range_influence import Extremes, leave_one_out, range_outliers
from edgekit.parity.poisoning.record import BackdoorScreen, PoisoningScreen
from edgekit.report.sections.adversarial import adversarial
from edgekit.report.sections.poisoning import poisoning
from tests.parity.examples import comparison
from tests.parity.gate_examples import SCREEN, attack, facts, judged

RANDOM = np.random.default_rng(0)


def extremes(count: int = 200, tensors: int = 6) -> Extremes:
    """Ends of activations of sound samples: they differ by a fifth."""
    lows = -RANDOM.uniform(0.8, 1.0, (count, tensors))
    highs = RANDOM.uniform(1.6, 2.0, (count, tensors))
    return Extremes(tuple(f"t{i}" for i in range(tensors)), lows, highs)


@pytest.mark.parametrize("seed", range(20))
def test_the_influence_of_a_sample_is_what_the_range_loses_without_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Whole numbers, so that samples share extremes, and some have none.
    values = random.integers(-4, 5, (random.integers(2, 9), random.integers(1, 4))).astype(np.float64)
    lows, highs = np.minimum(values, 0.0), np.maximum(values, 0.0)
    shares = leave_one_out(Extremes(("t",) * values.shape[1], values, values))
    for i in range(len(values)):
        rest = np.arange(len(values)) != i
        whole, without = highs.max(0) - lows.min(0), highs[rest].max(0) - lows[rest].min(0)
        expected = np.where(whole > 0, 1 - without / np.where(whole > 0, whole, 1), 0)
        np.testing.assert_allclose(shares[i], expected, atol=1e-12)


def test_sound_samples_are_not_named() -> None:
    assert range_outliers(extremes()) == ()
    assert leave_one_out(extremes()).max() < 0.1


def test_a_sample_that_makes_a_range_wide_is_named_with_its_share() -> None:
    planted = extremes()
    planted.highs[17, 3] = 20.0
    (one,) = range_outliers(planted)
    assert (one.sample, one.tensor, one.together, one.tensors) == (17, "t3", 1, 1)
    assert one.share == pytest.approx(1 - 3 / 21, abs=0.01)
    assert leave_one_out(planted)[17, 3] == pytest.approx(one.share)


def test_samples_that_share_an_extreme_do_not_hide_each_other() -> None:
    planted = extremes()
    planted.highs[[5, 90, 150]] = 20.0
    planted.lows[90, 0] = -30.0
    assert leave_one_out(planted)[5].max() < 0.01
    named = {one.sample: one for one in range_outliers(planted)}
    assert sorted(named) == [5, 90, 150]
    assert named[5].together == 3
    assert (named[5].tensors, named[90].tensors) == (5, 6)


def test_many_wide_samples_are_no_few() -> None:
    wide = extremes()
    wide.highs[:10] = 20.0
    assert range_outliers(wide) == ()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_of_a_few_samples_one_may_be_named_and_one_alone_never(count: int) -> None:
    few = extremes(count, 1)
    few.highs[0] = 50.0
    assert len(range_outliers(few)) == (1 if count > 1 else 0)
    assert leave_one_out(few).shape == (count, 1)


def test_samples_with_values_that_are_no_numbers_are_named_and_hide_no_others() -> None:
    planted = extremes()
    planted.highs[3, 1], planted.lows[4, 2], planted.highs[17, 1] = np.nan, -np.inf, 20.0
    shares = {one.sample: one.share for one in range_outliers(planted)}
    assert sorted(shares) == [3, 4, 17]
    assert shares[3] == shares[4] == 1.0 > shares[17]


def test_activations_without_a_range_name_nobody() -> None:
    assert range_outliers(Extremes(("t",), np.zeros((9, 1)), np.zeros((9, 1)))) == ()


def test_equal_inputs_are_groups_and_two_labels_contradict() -> None:
    inputs = {"x": np.array([[1, 2], [3, 4], [1, 2], [5, 6], [3, 4]], np.uint8), "n": np.array([1, 1, 1, 1, 1])}
    groups = equal_groups(inputs)
    assert groups == ((0, 2), (1, 4))
    assert contradictions(groups, np.array([7, 1, 8, 1, 1])) == (0, 2)
    assert contradictions(groups, np.empty((5, 0), np.int64)) == ()
    assert equal_groups(inputs | {"n": np.arange(5)}) == ()


def pictures(count: int = 120) -> tuple[Array, Array]:
    return RANDOM.integers(0, 200, (count, 12, 12, 3)).astype(np.uint8), np.arange(count) % 4


def test_a_square_that_samples_of_one_class_share_is_a_candidate() -> None:
    images, labels = pictures()
    carriers = np.flatnonzero(labels == 2)[:5]
    images[carriers, 8:11, 1:4] = 255
    first = common_patches(images, labels)[0]
    assert (first.target, first.row, first.column, first.side) == (2, 8, 1, 3)
    assert first.samples == tuple(carriers.tolist())
    assert (first.content == 255).all()


def test_a_square_of_all_classes_and_a_background_are_no_candidates() -> None:
    images, labels = pictures()
    images[:8, 8:11, 1:4] = 255  # two of each class
    images[:, :3] = 0
    assert common_patches(images, labels) == ()
    assert common_patches(np.zeros_like(images), labels) == ()
    assert common_patches(images[:1], labels[:1]) == ()


def test_the_class_that_needs_far_less_than_the_others_is_outlying() -> None:
    sizes = [9.1, 8.7, 3.2, 9.4, 8.8, 9.0]
    assert outlying(sizes) == (2,)
    assert anomalies(sizes)[2] > 10
    assert outlying([9.1, 8.7, 8.2, 9.4, 8.8, 9.0]) == ()
    # An outlier by deviation alone: the others are all alike.
    assert anomalies([9.0, 9.0, 7.5, 9.0])[2] > 2
    assert outlying([9.0, 9.0, 7.5, 9.0]) == ()


@pytest.mark.parametrize("sizes", [[], [4.0], [1.0, 9.0, 9.0]])
def test_of_fewer_than_four_classes_none_is_outlying(sizes: list[float]) -> None:
    assert outlying(sizes) == ()
    assert len(anomalies(sizes)) == len(sizes)


def test_the_gates_say_how_many_of_how_many_and_where() -> None:
    known = facts(replace(comparison(), poisoning=SCREEN))
    share, backdoor = (judged(name, {"max": 0.0}, known) for name in ("poisoned_share", "backdoor"))
    assert share.outcome == "failed"
    assert share.value == pytest.approx(2 / 300)
    assert "(2 of 300 calibration samples: 3, 17)" in share.meaning
    assert (backdoor.outcome, backdoor.value) == ("failed", 1.0)
    assert "a patch of 2 × 2 pixels at row 6, column 6 flips 63 of 64 samples to class 7" in backdoor.meaning
    clean = facts(replace(comparison(), poisoning=PoisoningScreen(samples=300, tensors=12)))
    assert judged("poisoned_share", {"max": 0.0}, clean).outcome == "passed"


def test_what_was_not_looked_at_is_undecided_and_says_why() -> None:
    assert judged("poisoned_share", {"max": 0.0}, facts()).outcome == "undecided"
    unsearched = PoisoningScreen(samples=9, tensors=0, backdoor=BackdoorScreen(reason="patches are of pictures"))
    result = judged("backdoor", {"max": 0.0}, facts(replace(comparison(), poisoning=unsearched)))
    assert (result.outcome, result.value) == ("undecided", None)
    assert "patches are of pictures" in result.meaning
    part = poisoning(unsearched)
    assert part
    assert ("patches", "not looked for: patches are of pictures") in part.rows
    assert ("ranges", "not looked into: the samples are sequences") in part.rows


def test_the_gate_under_attack_takes_the_worst_and_holds_for_all_of_them() -> None:
    attacks = (attack(300, (10, 8)), attack(100, (44, 4), "PGD-10"))
    sensitivity = AdversarialSensitivity(
        input="image", low=0, high=16, clean=attack(396, (0, 0), "none"), attacks=attacks
    )
    known = facts(replace(comparison(), adversarial=sensitivity))
    plain = judged("adversarial_drop", {"max": 0.05}, known)
    assert plain.outcome == "failed"
    assert plain.value == pytest.approx(0.1)
    assert "under PGD-10, ε 1 (6.25 % of the range of 'image'), the worst of 2 attacks, on 400 samples" in plain.meaning
    unsure = judged("adversarial_drop", {"max": 0.09, "confidence": 0.95}, known)
    assert unsure.outcome == "undecided"
    one = replace(comparison(), adversarial=sensitivity.model_copy(update={"attacks": attacks[1:]}))
    width = judged("adversarial_drop", {"max": 0.09, "confidence": 0.95}, facts(one))
    assert width.meaning != unsure.meaning, "two attacks take more confidence each than one"
    part = adversarial(sensitivity)
    assert part
    assert [row[0] for row in part.rows] == ["none", "FGSM", "PGD-10"]
