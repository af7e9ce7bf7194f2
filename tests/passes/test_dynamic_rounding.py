"""Ranges at run time in a static recipe: their simulation, and the repair that prefers them to float."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.calibrate import calibrate
from edgekit.passes.quantization.dynamic_rounding import DynamicFakeQuantized, DynamicObserver
from edgekit.passes.quantization.simulate import answers, output_sqnr_db, simulated, unguarded
from edgekit.passes.sensitivity import dynamic_trials
from edgekit.passes.sensitivity.attention_work import attention_shares
from edgekit.passes.sensitivity.judge import Judge, Limits, MixedScore
from edgekit.passes.sensitivity.mixed_precision import PrecisionSearch
from edgekit.passes.sensitivity.repair import repaired
from edgekit.passes.sensitivity.repair_trial import RepairTrial
from edgekit.passes.sensitivity.repair_trials import RepairTrials
from edgekit.pipeline.stages.precision_repair import _sentence
from edgekit.specs.compression import Quantize
from edgekit.tasks.label_arrays import unlabelled
from tests.passes.small_networks import onnx, program
from tests.passes.test_mixed import by_class


class Scaled(nn.Module):
    """Layers whose values have the size of the input, and a norm after which that size is no longer seen."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 32, bias=False), nn.Linear(32, 8, bias=False)
        self.norm = nn.LayerNorm(8, eps=1e-12)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.norm(self.second(torch.relu(self.first(x))))
        return answer


def samples_of_all_sizes() -> list[tuple[Tensor]]:
    torch.manual_seed(0)
    return [(torch.randn(1, 16) * 10.0 ** (number % 4),) for number in range(24)]


def test_repair_prefers_ranges_at_run_time_to_float() -> None:
    torch.manual_seed(1)
    samples = samples_of_all_sizes()
    net = program(Scaled(), samples[0][0])
    signature = Signature((TensorSpec("x", "float32", (1, 16)),), (TensorSpec("output", "float32", (1, 8)),))
    net = type(net)(net.exported, signature)

    judge = Judge(net, samples[12:], by_class(unlabelled(12)))
    result = repaired(PrecisionSearch(net, Quantize(), onnx, samples[:12], judge, Limits(0.9)))
    assert not result.plain.met
    assert result.chosen.met
    assert result.chosen.exceptions == ()
    assert result.chosen.recipe.overrides == {"first": "dynamic-int8", "second": "dynamic-int8"}
    assert result.chosen.dynamic == 2
    assert result.in_float.macs == 0
    # The layers whose ranges lose most, one of them, were tried too, and do not hold.
    assert [trial.dynamic for trial in result.trials if trial.dynamic] == [2, 1]
    assert "ranges at run time for 2 operators brought" in _sentence(result)
    assert "all in int8" in _sentence(result)


class Attending(nn.Module):
    """Attention over 32 places, whose products are most of the work, and a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.head = nn.Linear(16, 16), nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        mixed = nn.functional.scaled_dot_product_attention(self.query(x), x, x)
        answer: Tensor = self.head(mixed).mean(1)
        return answer


@pytest.mark.parametrize(("limit", "dynamic"), [(0.95, 1), (0.2, 0)])
def test_attention_comes_into_integers_where_the_gate_on_integers_asks_for_it(limit: float, dynamic: int) -> None:
    torch.manual_seed(1)
    samples = [(torch.randn(1, 32, 16),) for _ in range(16)]
    net = program(Attending(), samples[0][0])
    signature = Signature((TensorSpec("x", "float32", (1, 32, 16)),), (TensorSpec("output", "float32", (1, 8)),))
    net = type(net)(net.exported, signature)
    shares = attention_shares(net.exported.module())
    assert shares == {":scaled_dot_product_attention": pytest.approx(32 / (32 + 8 + 4))}
    judge = Judge(net, samples[8:], by_class(unlabelled(8)))
    result = repaired(PrecisionSearch(net, Quantize(), onnx, samples[:8], judge, Limits(0.8, integer_macs=limit)))
    assert result.plain.met
    assert result.chosen.met
    assert result.chosen.dynamic == dynamic
    assert ("brought its products into integers" in _sentence(result)) == bool(dynamic)


@pytest.mark.parametrize(
    ("harmful", "kept"), [("", "abcd"), ("d", "abc"), ("ad", ""), ("a", "bcd")], ids=["none", "last", "both", "first"]
)
def test_attention_that_spoils_answers_stays_in_float_as_long_as_the_gate_holds(
    monkeypatch: pytest.MonkeyPatch, harmful: str, kept: str
) -> None:
    """Of four attentions of .04 each, one may stay in float by a limit of .95: the last, or the first."""

    def trial_of(trials: Any, base: RepairTrial, names: Sequence[str], correct_bias: bool) -> tuple[RepairTrial, None]:
        return replace(base, change="".join(sorted(names)), met=not set(harmful) & set(names)), None

    monkeypatch.setattr(dynamic_trials, "attention_shares", lambda _: dict.fromkeys("abcd", 0.04))
    monkeypatch.setattr(dynamic_trials, "_with_dynamic", trial_of)
    problem = SimpleNamespace(
        limits=Limits(integer_macs=0.95),
        quantization=lambda _: SimpleNamespace(dynamic_attention=True),
        program=SimpleNamespace(exported=SimpleNamespace(module=lambda: None)),
    )
    plain = RepairTrial("", Quantize(), MixedScore(1.0, None, 41.0, (1.0, None)), met=True)
    chosen = dynamic_trials.with_integer_attention(RepairTrials(cast(PrecisionSearch, problem), [plain]), plain)
    assert chosen.change == kept


def test_simulation_rounds_as_the_program_does() -> None:
    torch.manual_seed(1)
    samples = samples_of_all_sizes()
    net = program(Scaled(), samples[0][0])
    recipe = Quantize(overrides={"*": "dynamic-int8"})
    prepared = prepare_pt2e(net.exported.module(), onnx(recipe).quantizer)
    calibrate(prepared, samples, range(4))
    expected = answers(unguarded(net.exported.module()), samples)
    assert output_sqnr_db(expected, answers(simulated(prepared), samples)) > 35


@pytest.mark.parametrize("by_row", [True, False])
def test_ranges_are_of_each_row_or_of_each_sample(by_row: bool) -> None:
    rounding = DynamicFakeQuantized(DynamicObserver(by_row=by_row, dtype=torch.int8))
    x = torch.tensor([[[0.0, 1.0, 2.55], [0.0, 100.0, 255.0]], [[0.0, 0.5, 1.275], [0.0, 1.0, 1.275]]])
    rounded = rounding(x)
    torch.testing.assert_close(rounded[0, 0], x[0, 0] if by_row else torch.tensor([0.0, 1.0, 3.0]))
    torch.testing.assert_close(rounded[1], x[1], atol=0.0026, rtol=0)
    assert torch.equal(rounding(torch.zeros(1, 4)), torch.zeros(1, 4))


def test_dynamic_layers_belong_to_a_static_recipe_and_float_comes_before_them() -> None:
    with pytest.raises(ValidationError, match="mode = 'static'"):
        Quantize(mode="dynamic", overrides={"head": "dynamic-int8"})
    recipe = Quantize(overrides={"*": "dynamic-int8", "first": "float32"})
    net = program(Scaled(), torch.zeros(1, 16))
    module = net.exported.module()
    prepared = prepare_pt2e(module, onnx(recipe).quantizer)
    dynamic = [part for part in prepared.modules() if isinstance(part, DynamicObserver)]
    assert len(dynamic) == 1
