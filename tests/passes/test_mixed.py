"""The fewest layers left in float with which int8 is good enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import PassError
from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.ir.layers import Layer
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.passes.sensitivity.judge import Judge, Limits, held_out
from edgekit.passes.sensitivity.mixed_precision import PrecisionSearch, by_loss, search, with_float
from edgekit.samples import load_samples
from edgekit.specs.compression import Quantize
from edgekit.specs.project import Project
from edgekit.tasks.classification import Classification
from edgekit.tasks.task import Outputs
from tests.faulty_projects import PROJECT, RESCALED, SPIKED, ailing, asked

Split = tuple[list[Any], list[Any], Array]


@pytest.fixture(scope="module")
def split() -> Split:
    """Samples that calibrate, samples that judge, and the labels of those."""
    loaded = load_samples(PROJECT, "calibration", 120)
    tensors = batches(loaded, PROJECT)
    calibrating, judging = held_out(loaded.labels)
    return [tensors[i] for i in calibrating], [tensors[i] for i in judging], loaded.labels[judging]


def by_class(labels: Array) -> Callable[[Outputs, Outputs], PairedAnswers]:
    """Answers of classifiers to samples with these labels, compared."""

    def compared(reference: Outputs, candidate: Outputs) -> PairedAnswers:
        task = Classification()
        return PairedAnswers.of(task.answers(reference), task.answers(candidate), labels, task)

    return compared


@pytest.fixture(scope="module")
def spiked(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return capture(load(Project.read(ailing(tmp_path_factory.mktemp("mixed") / "spiked", SPIKED))))


def test_held_out_samples_are_a_share_of_every_class_and_none_calibrates() -> None:
    labels = np.arange(80) % 10
    calibrating, judging = held_out(labels)
    assert sorted(calibrating + judging) == list(range(80))
    assert np.bincount(labels[judging]).tolist() == [2] * 10
    assert held_out(labels) == (calibrating, judging)


def test_int8_that_is_good_enough_is_left_alone_after_one_evaluation(split: Split) -> None:
    samples, judging, labels = split
    program = capture(load(PROJECT))
    judge = Judge(program, judging, by_class(labels))
    result = search(PrecisionSearch(program, Quantize(), asked, samples, judge, Limits(0.95, 0.02)))
    assert result.recipe == Quantize()
    assert [(trial.kept, trial.met) for trial in result.tried] == [((), True)]


def test_the_one_layer_that_breaks_is_found(split: Split, spiked: Program) -> None:
    samples, judging, labels = split
    judge = Judge(spiked, judging, by_class(labels))
    result = search(PrecisionSearch(spiked, Quantize(), asked, samples, judge, Limits(0.95, 0.02)), 6)
    assert result.met
    assert result.recipe.overrides == {"model.conv2": "float32"}
    assert not result.tried[0].met
    assert result.tried[0].score.agreement < 0.5
    assert len(result.tried) <= 6


def test_limits_that_nothing_keeps_give_the_best_that_was_tried(split: Split, spiked: Program) -> None:
    samples, judging, labels = split
    judge = Judge(spiked, judging, by_class(labels))
    result = search(PrecisionSearch(spiked, Quantize(), asked, samples, judge, Limits(1.1)), 2)
    assert not result.met
    assert len(result.tried) == 2
    assert result.recipe.overrides
    assert max(trial.score.agreement for trial in result.tried) == result.tried[1].score.agreement


def test_a_judge_needs_samples(spiked: Program) -> None:
    with pytest.raises(PassError, match="no calibration sample is left"):
        Judge(spiked, [], by_class(np.empty(0, np.int64)))


def layer(name: str, sqnr_db: float | None, kind: str = "conv", quantized: bool = True) -> Layer:
    return Layer(name, name + kind, kind, (), quantized, output_sqnr_db=sqnr_db)


def test_layers_are_tried_by_what_they_lose_if_they_can_be_named_alone() -> None:
    layers = [
        layer("image", 10, "input"),
        layer("a.one", 30),
        layer("a.two", 20),
        layer("a", 5, "add"),  # would take `a.one` and `a.two` along
        layer("", 5, "mean"),
        layer("b", None, quantized=False),
        layer("c", 25),
    ]
    assert by_loss(layers) == ("a.two", "c", "a.one")


def test_layers_that_round_what_another_suffers_from_follow_it() -> None:
    first, second = layer("first", 40), layer("second", 30)
    worst = Layer("third", "third", "conv", (second.node,), True, output_sqnr_db=3, by_inputs_db=4)
    assert by_loss([first, second, worst]) == ("third", "second", "first")


def test_overrides_join_those_of_the_recipe() -> None:
    recipe = Quantize(equalize=True, overrides={"a": "int8", "b": "float32"})
    mixed = with_float(recipe, ("a", "c"))
    assert mixed.overrides == {"a": "float32", "b": "float32", "c": "float32"}
    assert mixed.equalize
    assert recipe.overrides["a"] == "int8"


def test_rescaled_channels_are_kept_in_float_where_nothing_else_is_tried(split: Split, tmp_path: Path) -> None:
    samples, judging, labels = split
    program = capture(load(Project.read(ailing(tmp_path / "rescaled", RESCALED))))
    judge = Judge(program, judging, by_class(labels))
    result = search(PrecisionSearch(program, Quantize(), asked, samples, judge, Limits(0.95, 0.02)), 8)
    assert result.met
    # What a layer rounds, the next one in float gets rounded: producer and consumer go together.
    assert set(result.recipe.overrides) == {"conv1", "conv2", "block.conv1", "block.conv2"}
