"""Rounding and bias correction: the integers that are stored are those that move the layer's outputs least."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.nn import functional as F
from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

from edgekit.ir.program import Program
from edgekit.passes.quantization.bias_choice import chosen_biases, in_scope
from edgekit.passes.quantization.bias_correction import bounds, corrected_biases
from edgekit.passes.quantization.calibrate import calibrate
from edgekit.passes.quantization.quantize import quantize
from edgekit.passes.quantization.rounding_solvers import Grid, adaround, gptq
from edgekit.passes.quantization.simulate import stacked
from edgekit.passes.quantization.weighted_layers import layers, rows, value
from edgekit.specs.compression import Quantize, Rounding, Weights
from tests.passes.small_networks import Samples, onnx, outputs, program

METHODS: tuple[Rounding, ...] = ("gptq", "adaround")


def problem(inputs: int = 6, outputs: int = 8) -> tuple[Tensor, Tensor, Grid]:
    """A layer with inputs that go together, on a coarse grid: weight, moments, grid."""
    torch.manual_seed(0)
    x = torch.randn(2000, 2) @ torch.randn(2, inputs) + 0.1 * torch.randn(2000, inputs)
    weight = torch.randn(1, outputs, inputs)
    scale = weight.abs().amax(2, keepdim=True) / 7
    return weight, (x.T @ x / len(x))[None], Grid(scale, torch.tensor(-7.0), torch.tensor(7.0))


def lost(change: Tensor, moment: Tensor) -> Tensor:
    return ((change @ moment) * change).sum(-1)


def best(weight: Tensor, moment: Tensor, grid: Grid) -> Tensor:
    """The least loss of each output over every choice of up and down."""
    floor = torch.floor(weight / grid.scale)
    choices = [torch.tensor(ups) for ups in product((0.0, 1.0), repeat=weight.shape[2])]
    tried = [grid.scale * torch.clamp(floor + ups, grid.low, grid.high) for ups in choices]
    return torch.stack([lost(weight - candidate, moment) for candidate in tried]).amin(0)


@pytest.mark.parametrize("solve", [gptq, adaround])
def test_a_solver_comes_near_the_best_of_all_choices(solve: object) -> None:
    weight, moment, grid = problem()
    assert callable(solve)
    nearest, result = (
        float(lost(weight - rounded, moment).sum()) for rounded in (grid.near(weight), solve(weight, moment, grid))
    )
    optimum = float(best(weight, moment, grid).sum())
    assert optimum < nearest / 3
    assert result < nearest / 2
    # AdaRound chooses between the two neighbours, as `best` does; GPTQ may go further.
    assert solve is gptq or optimum <= result * (1 + 1e-5)


class Layers(nn.Module):
    """One of each kind of layer, and each with inputs that go together."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)
        self.grouped = nn.Conv2d(8, 4, (1, 3), padding=(0, 1), groups=2)
        self.line = nn.Conv1d(4, 4, 3, padding=1, bias=False)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.depthwise(torch.relu(self.a(x))))
        x = torch.relu(self.grouped(x)).flatten(2)
        answer: Tensor = self.head(torch.relu(self.line(x)).mean(2))
        return answer


@pytest.fixture(scope="module")
def net() -> Program:
    torch.manual_seed(0)
    return program(Layers(), torch.zeros(1, 3, 8, 8))


@pytest.fixture(scope="module")
def samples() -> Samples:
    torch.manual_seed(1)
    smooth = nn.functional.interpolate(torch.randn(64, 3, 3, 3), size=8, mode="bilinear") + 0.3
    return [(picture[None],) for picture in smooth]


def test_rows_times_weights_are_the_outputs(net: Program) -> None:
    module = net.exported.module()
    shapes = {"a": (2, 3, 8, 8), "depthwise": (2, 8, 6, 6), "grouped": (2, 8, 4, 4), "line": (2, 4, 9), "head": (2, 4)}
    for layer in layers(module):
        weight = value(module, layer.weight)
        x = torch.randn(shapes[layer.name])
        wanted = layer.node.target(x, weight, None, *layer.node.args[3:])  # type: ignore[operator]
        vectors = rows(layer, weight, x)
        result = vectors @ weight.reshape(layer.groups, -1, vectors.shape[2]).transpose(1, 2)
        channels_last = wanted if layer.is_linear else wanted.movedim(1, -1)
        joined = result.movedim(0, 1).reshape(channels_last.shape)
        torch.testing.assert_close(joined, channels_last, rtol=1e-4, atol=1e-5)


def rounded(net: Program, samples: Samples, rounding: Rounding = "nearest", correct_bias: bool = False) -> Program:
    weights = Weights(rounding=rounding, granularity="per-tensor")
    return quantize(net, Quantize(weights=weights, correct_bias=correct_bias), onnx, samples, samples[:16])


def stored(program: Program) -> list[Tensor]:
    """The integer weights, as the file will hold them."""
    return [tensor for tensor in program.exported.state_dict.values() if tensor.dtype is torch.int8] + [
        tensor
        for tensor in program.exported.constants.values()
        if isinstance(tensor, Tensor) and tensor.dtype is torch.int8
    ]


@pytest.mark.parametrize("rounding", METHODS)
def test_chosen_integers_are_stored_and_bring_the_outputs_nearer(
    net: Program, samples: Samples, rounding: Rounding
) -> None:
    before = {name: tensor.clone() for name, tensor in net.exported.state_dict.items()}
    plain, chosen = rounded(net, samples), rounded(net, samples, rounding)
    pairs = list(zip(stored(plain), stored(chosen), strict=True))
    assert len(pairs) == 5
    assert any(bool((a != b).any()) for a, b in pairs)
    assert chosen.history[-1].sqnr_db > plain.history[-1].sqnr_db
    share = dict(chosen.history[-1].options)["rounding error"]
    assert share.endswith("of nearest rounding's, 5 layers")
    assert int(share.partition("%")[0]) < 70
    assert all(torch.equal(before[name], tensor) for name, tensor in net.exported.state_dict.items())


def test_bias_correction_takes_the_mean_error_away(net: Program, samples: Samples) -> None:
    wanted = outputs(net, samples)
    errors = [outputs(rounded(net, samples, correct_bias=on), samples) - wanted for on in (False, True)]
    plain, corrected = (float(error.mean(0).abs().max()) for error in errors)
    assert corrected < plain / 5
    options = dict(rounded(net, samples, correct_bias=True).history[-1].options)
    assert options["biases corrected"] == "4"  # `line` has none


def prepared_program(net: Program, samples: Samples) -> GraphModule:
    recipe = Quantize(weights=Weights(granularity="per-tensor"))
    prepared: GraphModule = prepare_pt2e(net.exported.module(), onnx(recipe).quantizer)
    calibrate(prepared, samples, range(len(samples)))
    return prepared


def test_biases_are_corrected_as_far_as_held_out_samples_gain(net: Program, samples: Samples) -> None:
    prepared = prepared_program(net, samples)
    batches = stacked(samples, 16)
    choice = chosen_biases(prepared, batches)
    assert choice.scope == "all"
    every = corrected_biases(prepared, batches, in_scope(prepared, "all"))
    assert all(torch.equal(every[node], bias) for node, bias in choice.biases.items())
    assert max(choice.sqnr_db.values()) == choice.sqnr_db["all"] > choice.sqnr_db["none"]
    # Samples that have nothing in common with those that correct: what is right there is wrong here.
    other = [tuple(-9.0 * value for value in batch) for batch in batches]
    misled = chosen_biases(prepared, [*batches, *other])
    assert misled.scope != "all"
    assert misled.sqnr_db["all"] < misled.sqnr_db["none"] + 0.1
    assert chosen_biases(prepared, stacked(samples[:1], 1)).biases == {}


def test_what_a_clamp_after_a_layer_cuts_off_is_no_part_of_its_mean_error() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu, self.relu6, self.clamp, self.plain, self.shared = (nn.Conv2d(2, 2, 1) for _ in range(5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.relu(x)) + F.relu6(self.relu6(x)) + F.hardtanh(self.clamp(x), -3.0, 5.0) + self.plain(x)
            y = self.shared(x)
            output: Tensor = torch.relu(y) + y
            return output

    exported = torch.export.export(Net().eval(), (torch.zeros(1, 2, 4, 4),))
    result = [bounds(node) for node in exported.module().graph.nodes if node.target is torch.ops.aten.conv2d.default]
    assert result == [(0.0, math.inf), (0.0, 6.0), (-3.0, 5.0), (-math.inf, math.inf), (-math.inf, math.inf)]
