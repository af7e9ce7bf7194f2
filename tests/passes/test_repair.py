"""Precision repair: the noise of each rounding, the operators that must be in float without it, and the recipe."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

from edgekit.errors import PassError
from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.ir.program import Program
from edgekit.passes.module_patterns import check_names, is_skipped
from edgekit.passes.quantization import bias_choice
from edgekit.passes.quantization.calibrate import calibrate
from edgekit.passes.quantization.simulate import answers, output_sqnr_db, simulated, unguarded
from edgekit.passes.sensitivity import repair, repair_trials
from edgekit.passes.sensitivity.exceptions import (
    JointRounding,
    WorkShare,
    exception_path,
    joint_roundings,
    price,
    pruning_order,
    work_shares,
)
from edgekit.passes.sensitivity.judge import Judge, Limits, MixedScore, held_out
from edgekit.passes.sensitivity.mixed_precision import PrecisionSearch
from edgekit.passes.sensitivity.noise_shares import noise_shares
from edgekit.passes.sensitivity.repair import repaired
from edgekit.passes.sensitivity.repair_trial import RepairResult, RepairTrial
from edgekit.passes.sensitivity.repair_trials import RepairTrials
from edgekit.pipeline.stages.precision_repair import _sentence
from edgekit.pipeline.stages.repaired_gates import FloatWork
from edgekit.samples import load_samples
from edgekit.specs.compression import Quantize
from edgekit.specs.profile import Bound, Gates
from edgekit.specs.project import Project
from tests.faulty_projects import PROJECT, SPIKED, ailing, asked
from tests.passes.small_networks import Samples, one_by_one, onnx, program
from tests.passes.test_mixed import by_class


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x) + x
        return y


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, 4, 1), Block(), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(torch.relu(self.block(torch.relu(self.stem(x)))))
        return y


@pytest.fixture(scope="module")
def samples() -> Samples:
    torch.manual_seed(0)
    return one_by_one(torch.randn(12, 3, 8, 8))


@pytest.fixture(scope="module")
def net(samples: Samples) -> Program:
    torch.manual_seed(1)
    return program(Net(), samples[0][0])


def prepared_program(net: Program, samples: Samples, recipe: Quantize) -> GraphModule:
    prepared: GraphModule = prepare_pt2e(net.exported.module(), onnx(recipe).quantizer)
    calibrate(prepared, samples, range(len(samples)))
    return prepared


def test_shares_of_noise_add_up_to_that_of_the_answers(net: Program, samples: Samples) -> None:
    prepared = prepared_program(net, samples, Quantize())
    shares = noise_shares(prepared, samples)
    expected = answers(unguarded(net.exported.module()), samples)
    measured_db = output_sqnr_db(expected, answers(simulated(prepared), samples))
    assert -10 * math.log10(sum(shares.values())) == pytest.approx(measured_db, abs=1.5)


def test_a_rounding_falls_only_with_all_operators_that_touch_the_value(net: Program, samples: Samples) -> None:
    prepared = prepared_program(net, samples, Quantize())
    roundings = joint_roundings(prepared, noise_shares(prepared, samples))
    by_value = {each.value: each.operators for each in roundings}
    assert by_value["the output of ':relu'"] >= {"block.conv", "block:add"}
    assert by_value["the weights of 'stem'"] == {"stem"}
    work = work_shares(prepared)
    assert set(work) == {"stem", "block.conv", "head"}
    assert work["block.conv"] == pytest.approx(144 / 164)
    # The last set of the path leaves hardly a rounding, and the quantizer does as it says.
    steps = exception_path(roundings, work)
    assert steps[-1].noise_left <= 0.01
    kept = prepared_program(net, samples, Quantize(overrides=dict.fromkeys(steps[-1].operators, "float32")))
    assert len(noise_shares(kept, samples)) < len(noise_shares(prepared, samples))


def test_a_path_takes_most_noise_for_the_least_work_first() -> None:
    roundings = [
        JointRounding(5.0, frozenset({"dear"}), ""),
        JointRounding(4.0, frozenset({"cheap"}), ""),
        JointRounding(1.0, frozenset({"cheap", "other"}), ""),
    ]
    steps = exception_path(roundings, {"dear": 0.5})
    assert [step.operators for step in steps] == [("cheap",), ("cheap", "other"), ("cheap", "dear", "other")]
    assert [step.noise_left for step in steps] == [0.6, 0.5, 0.0]


def test_a_pattern_names_an_operator_of_a_module_alone(net: Program) -> None:
    names = {node.name for node in net.exported.graph.nodes if is_skipped(node, ("block:add",))}
    assert names == {"add"}
    check_names(net.exported.graph, ("block:add",))


def test_what_saves_most_for_the_least_noise_returns_to_integers_first() -> None:
    roundings = [
        JointRounding(5.0, frozenset({"dear", "needed"}), ""),
        JointRounding(0.1, frozenset({"dear"}), ""),
        JointRounding(4.0, frozenset({"needed"}), ""),
        JointRounding(0.1, frozenset({"little"}), ""),
    ]
    assert pruning_order(roundings, {"dear": 0.5}, ["needed", "little", "dear"]) == ["dear", "little", "needed"]
    assert price(["dear", "little"], {"dear": 0.5}) == pytest.approx(0.5 + 2 * 0.0025)


def test_gates_expect_what_the_repair_leaves_in_integers() -> None:
    gates = Gates(integer_macs_share=Bound(min=0.95), size_ratio=Bound(max=0.35), agreement=Bound(min=0.97))
    repaired_gates = FloatWork(0.3, 0.2).gates(gates)
    assert repaired_gates.integer_macs_share == Bound(min=0.65)
    assert repaired_gates.size_ratio == Bound(max=0.5)
    assert repaired_gates.agreement == gates.agreement
    assert repaired_gates.integer_share is None
    assert FloatWork(0.3, 0.2).gates(gates, {"size_ratio"}).size_ratio == gates.size_ratio, "the project's own stays"
    # With most of it in float it is no int8 any more; with nothing in float nothing changes.
    assert FloatWork(0.6, 0.2).gates(gates) == gates == FloatWork().gates(gates)


def test_where_nothing_holds_the_best_that_is_int8_still_is_taken() -> None:
    def trial(agreement: float, sqnr_db: float, *in_float: str) -> RepairTrial:
        score = MixedScore(agreement, None, sqnr_db, (agreement, None))
        return RepairTrial("", Quantize(overrides=dict.fromkeys(in_float, "float32")), score, met=False)

    plain, little, most = trial(0.1, 39), trial(0.2, 50, "small"), trial(0.3, 86, "small", "large")
    trials = RepairTrials(cast(PrecisionSearch, None), [plain, little, most])
    trials.work = {"small": WorkShare(0.2, 0.4), "large": WorkShare(0.4, 0.2)}
    assert repair.best_of(trials) is little
    trials.tried.append(replace(most, met=True))
    assert repair.best_of(trials) is trials.tried[-1]


def test_the_report_says_why_attention_stays_in_float() -> None:
    plain = RepairTrial("plain", Quantize(), MixedScore(1.0, None, 43.2, (1.0, None)), met=True)
    lost = MixedScore(0.9, None, 28.5, (0.9, None))
    attention = RepairTrial("ranges at run time for 12 operators", Quantize(), lost, met=False)
    assert _sentence(RepairResult((plain, attention), plain, samples=12)) == (
        "Plain int8 holds on 12 held-out calibration samples (43.2 dB from float, agreement 1.000), and leaves "
        "attention in float: ranges at run time for 12 operators do not hold (28.5 dB from float, agreement 0.900)."
    )
    assert _sentence(RepairResult((plain,), plain, samples=12)) == ""


def test_int8_that_holds_is_the_only_trial_and_what_breaks_it_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_samples(PROJECT, "calibration", 60)
    tensors = batches(loaded, PROJECT)
    fit, judging = held_out(loaded.labels, 0.5)
    calibrating, judges = [tensors[i] for i in fit], [tensors[i] for i in judging]
    healthy = capture(load(PROJECT))
    limits, compared = Limits(0.95, 0.02), by_class(loaded.labels[judging])
    judge = Judge(healthy, judges, compared)
    plain = repaired(PrecisionSearch(healthy, Quantize(), asked, calibrating, judge, limits))
    assert [trial.change for trial in plain.trials] == ["plain"]
    assert _sentence(plain) == ""
    # Biases that the build will correct are not corrected for a trial that holds without.
    with monkeypatch.context() as patch:
        patch.setattr(bias_choice, "chosen_biases", lambda *_: pytest.fail("biases were corrected"))
        correcting = Quantize(correct_bias=True)
        held = repaired(PrecisionSearch(healthy, correcting, asked, calibrating, judge, limits))
        assert held.chosen.recipe == correcting
        assert [trial.score for trial in held.trials] == [plain.plain.score]
    spiked = capture(load(Project.read(ailing(tmp_path / "spiked", SPIKED))))
    problem = PrecisionSearch(spiked, Quantize(), asked, calibrating, Judge(spiked, judges, compared), limits)
    result = repaired(problem)
    assert not result.plain.met
    assert result.chosen.met
    assert len(result.chosen.exceptions) <= 3
    sentence = _sentence(result)
    assert sentence.startswith("Plain int8 does not hold on 30 held-out calibration samples")
    assert result.chosen.change in sentence
    tried = [trial.recipe for trial in result.trials]
    assert all(tried.count(recipe) == 1 for recipe in tried)
    # The cheapest of all that hold; its cost and the way back are told.
    assert result.chosen.price == min(trial.price for trial in result.trials if trial.met)
    assert "--profile int8-plain" in sentence
    assert f"{100 * result.in_float.weights:.1f} % of the weights" in sentence
    # Time never decides what is chosen: a search that takes too long is refused.
    monkeypatch.setattr(repair_trials, "ABORT_S", -1.0)
    with pytest.raises(PassError, match="chooses nothing for lack of time"):
        repaired(problem)
