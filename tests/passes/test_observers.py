"""Observers: each finds the range it says, quickly enough to be tried, and `auto` finds out which one to trust."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torchao.quantization.pt2e import HistogramObserver, MinMaxObserver

from edgekit.ir.program import Program
from edgekit.passes.quantization.observers import METHODS, activation_observer
from edgekit.passes.quantization.quantize import quantize
from edgekit.passes.quantization.range_observer import RangeObserver
from edgekit.specs.compression import Activations, Observer, Quantize
from tests.passes.small_networks import Samples, one_by_one, onnx, outputs, program

INT8: dict[str, Any] = {"dtype": torch.int8, "quant_min": -128, "quant_max": 127}
TYPES: list[dict[str, Any]] = [INT8, {"dtype": torch.uint8, "quant_min": 0, "quant_max": 255}]
SCHEMES = (torch.per_tensor_affine, torch.per_tensor_symmetric)


def heavy_tailed(positive: bool) -> list[Tensor]:
    torch.manual_seed(0)
    values = torch.distributions.Laplace(0, 1).sample((20, 4096))
    return list(values.relu() if positive else values)


def watched(observer: Any, data: list[Tensor]) -> Any:
    for values in data:
        observer(values)
    return observer


def error(observer: Any, data: list[Tensor]) -> float:
    """Mean squared error of rounding by what the observer found."""
    scale, zero_point = observer.calculate_qparams()
    values = torch.stack(data)
    bounds = observer.quant_min, observer.quant_max
    rounded = torch.fake_quantize_per_tensor_affine(values, float(scale), int(zero_point), *bounds)
    return float((rounded - values).square().mean())


@pytest.mark.parametrize("type_", TYPES, ids=["int8", "uint8"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=["affine", "symmetric"])
def test_minmax_is_torchaos_to_the_bit_also_after_a_histogram_was_kept(type_: dict[str, Any], scheme: Any) -> None:
    data = heavy_tailed(positive=False)
    theirs = watched(MinMaxObserver(**type_, qscheme=scheme), data).calculate_qparams()
    ours = watched(RangeObserver(**type_, qscheme=scheme), data).calculate_qparams()
    assert all(torch.equal(*pair) for pair in zip(ours, theirs, strict=True))


def test_a_method_without_a_rule_is_an_error_and_not_another_one() -> None:
    observer = watched(RangeObserver(**INT8, qscheme=torch.per_tensor_affine, method="nearest"), heavy_tailed(False))
    with pytest.raises(ValueError, match="no rule clips by 'nearest'"):
        observer.calculate_qparams()


@pytest.mark.parametrize("positive", [True, False])
def test_histogram_cuts_where_torchaos_observer_cuts(positive: bool) -> None:
    data = heavy_tailed(positive)
    theirs, _ = watched(HistogramObserver(**INT8, qscheme=torch.per_tensor_affine), data).calculate_qparams()
    options: dict[str, Any] = {"qscheme": torch.per_tensor_affine, "method": "histogram"}
    ours, _ = watched(RangeObserver(**INT8, **options), data).calculate_qparams()
    assert float(ours) == pytest.approx(float(theirs), rel=0.05)


@pytest.mark.parametrize("type_", TYPES, ids=["int8", "uint8"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=["affine", "symmetric"])
@pytest.mark.parametrize("positive", [True, False])
def test_mse_has_the_least_error_of_all(type_: dict[str, Any], scheme: Any, positive: bool) -> None:
    data = heavy_tailed(positive)
    observer = watched(RangeObserver(**type_, qscheme=scheme), data)
    errors = {}
    for observer.method in METHODS:
        errors[observer.method] = error(observer, data)
    assert errors["mse"] < errors["minmax"]
    assert errors["mse"] <= 1.01 * min(errors.values())


def test_percentile_leaves_out_the_share_it_says() -> None:
    data = heavy_tailed(positive=False)
    observer = watched(RangeObserver(**INT8, qscheme=SCHEMES[0], method="percentile", percentile=99.0), data)
    low, high = observer.range()
    values = torch.stack(data)
    assert float((values < low).float().mean()) == pytest.approx(0.005, abs=2e-4)
    assert float((values > high).float().mean()) == pytest.approx(0.005, abs=2e-4)


def test_a_histogram_that_had_to_grow_says_what_one_of_the_right_size_says() -> None:
    data = [values * scale for values, scale in zip(heavy_tailed(False), (1e-3, 1, 0, 30) * 5, strict=True)]
    grown, at_once = (RangeObserver(**INT8, qscheme=SCHEMES[0], method="mse") for _ in range(2))
    watched(grown, data)
    watched(at_once, [torch.cat(data)])
    assert grown.counts.sum() == at_once.counts.sum() == 20 * 4096
    assert [float(end) for end in grown.range()] == pytest.approx([float(end) for end in at_once.range()], rel=0.02)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 1e-30])
def test_a_tensor_that_is_constant_has_a_finite_scale(method: Observer, value: float) -> None:
    made = activation_observer(Activations(observer=method), 2**-12)
    observer = watched(made(**INT8, qscheme=SCHEMES[0]), [torch.full((1, 8), value)])
    scale, zero_point = observer.calculate_qparams()
    assert 2**-12 <= float(scale) <= 1
    assert -128 <= int(zero_point) <= 127
    assert error(observer, [torch.full((1, 8), value)]) <= 2**-20


class Votes(nn.Module):
    """Classes 2 to 5 by the greatest of four inputs; but where inputs 0 and 1 are large, which of the two is larger."""

    WIDTH: ClassVar[int] = 1024

    def __init__(self) -> None:
        super().__init__()
        self.vote = nn.Linear(self.WIDTH, 6, bias=False)
        with torch.no_grad():
            self.vote.weight.copy_(torch.eye(6, self.WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        votes: Tensor = self.vote(x)
        return votes


def voters(count: int, seed: int, every: int | None = None) -> Tensor:
    """float32 [count, 1024]: clear votes, noise that no class looks at; one in `every` has two large values to tell."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, Votes.WIDTH, generator=generator).abs()
    x[:, :6] = 0
    x[torch.arange(count), torch.randint(2, 6, (count,), generator=generator)] = 2.0
    if every:
        few = torch.arange(0, count, every)
        x[few, :2] = 4.5
        x[few, torch.randint(0, 2, (len(few),), generator=generator)] = 4.65
    return x


@pytest.fixture(scope="module")
def votes() -> Program:
    return program(Votes(), torch.zeros(1, Votes.WIDTH))


def right(quantized: Program, samples: Samples, votes: Program) -> float:
    """Share of the answers that are the float program's, which are right by construction."""
    return float((outputs(quantized, samples).argmax(1) == outputs(votes, samples).argmax(1)).float().mean())


def observed(votes: Program, samples: Samples, observer: Observer) -> Program:
    return quantize(votes, Quantize(activations=Activations(observer=observer)), onnx, samples, samples[:2])


def test_auto_keeps_to_minmax_where_rare_large_values_decide(votes: Program) -> None:
    calibration, unseen = one_by_one(voters(500, 1, 60)), one_by_one(voters(2000, 2, 60))
    made: dict[Observer, Program] = {
        method: observed(votes, calibration, method) for method in ("histogram", "minmax", "auto")
    }
    assert right(made["histogram"], unseen, votes) <= 0.995  # half a point and more
    assert right(made["minmax"], unseen, votes) == 1
    record = dict(made["auto"].history[-1].options)
    assert record["chosen observer"] == "minmax"
    scores = [record[f"observer {method}"] for method in METHODS]
    assert all("dB, agreement" in score and "on 250 held-out samples" in score for score in scores)
    assert "agreement 1.0000" in scores[0]
    assert "agreement 0.9" in scores[-1]
    # The samples that judged are calibrated on too, in the end.
    codes = [made[method].exported.graph.python_code("self").src for method in ("auto", "minmax")]
    assert codes[0] == codes[1]


def test_auto_clips_where_only_noise_is_large(votes: Program) -> None:
    noisy = voters(200, 3)
    noisy[::40, 20] = 400.0
    calibration, unseen = one_by_one(noisy), one_by_one(voters(200, 4))
    chosen = observed(votes, calibration, "auto")
    assert dict(chosen.history[-1].options)["chosen observer"] == "percentile"
    kept, cut = (outputs(p, unseen) for p in (observed(votes, calibration, "minmax"), chosen))
    wanted = outputs(votes, unseen)
    assert (cut - wanted).square().sum() < (kept - wanted).square().sum() / 10
