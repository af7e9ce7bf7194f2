from __future__ import annotations

import pytest

from edgekit.ir.layers import Change
from edgekit.parity.pruning_diagnosis import pruning


def test_a_pruning_that_hurt_names_what_was_cut_most() -> None:
    changes = [Change("a", 64, 32, None), Change("b", 64, 8, None), Change("head", 10, 10, 4.0)]
    diagnosis = pruning(changes, 0.05)
    assert diagnosis.cause == "pruning"
    assert diagnosis.layers == ("b", "a")
    assert "loses 5.0 points" in diagnosis.sentence
    assert "'b' was cut most: 8 of 64 channels are left" in diagnosis.sentence
    assert diagnosis.next_step
    assert "profile.recover.epochs" in diagnosis.next_step
    assert "'head': output at 4.0 dB of the original's" in diagnosis.evidence


def test_a_pruning_that_hurt_shows_five_layers_that_were_cut_and_the_three_that_lost_most() -> None:
    changes = [Change(f"layer{i}", 10, 9, float(i)) for i in range(7)]
    evidence = pruning(changes[::-1], 0.05).evidence
    assert [text.split("'")[1] for text in evidence[:5]] == [f"layer{i}" for i in (6, 5, 4, 3, 2)]
    assert [text.split("'")[1] for text in evidence[5:]] == ["layer0", "layer1", "layer2"]
    assert evidence[0] == "'layer6': 9 of 10 channels"


def test_a_pruning_that_cut_nothing_is_not_blamed_on_a_layer() -> None:
    diagnosis = pruning([Change("a", 64, 64, 30.0)], 0.05)
    assert (diagnosis.cause, diagnosis.layers) == ("pruning", ())
    assert diagnosis.sentence.endswith("yet no layer lost channels.")
    assert diagnosis.next_step == "--set profile.prune.ratio=0.1"


@pytest.mark.parametrize(("drop", "cause"), [(0.01, "nothing"), (0.0101, "pruning")])
def test_a_pruning_may_cost_a_point_of_accuracy(drop: float, cause: str) -> None:
    assert pruning([Change("a", 64, 32, None)], drop).cause == cause


def test_a_pruning_that_cost_little_has_nothing_wrong() -> None:
    assert pruning([Change("a", 64, 32, None)], 0.004).cause == "nothing"
