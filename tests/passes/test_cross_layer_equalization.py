"""Equalization: the function stays, per-tensor int8 comes back, and chains end where they must."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.examples import folder
from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.ir.program import Program
from edgekit.passes.quantization.batch_norm_folding import FoldBatchNorm
from edgekit.passes.quantization.cross_layer_equalization import Equalize, pairs
from edgekit.passes.quantization.quantize import quantize
from edgekit.samples import load_samples
from edgekit.specs.compression import Quantize, Weights
from edgekit.specs.project import Project
from tests.passes.small_networks import Samples, onnx, outputs, program

PER_TENSOR = Weights(granularity="per-tensor")


def rescaled(first: nn.BatchNorm2d, second: nn.Conv2d) -> None:
    """Channels scaled by up to 2^6 either way between two layers around a ReLU: the function is the same."""
    scale = 2.0 ** torch.linspace(-6, 6, first.num_features)[torch.randperm(first.num_features)]
    with torch.no_grad():
        first.weight.mul_(scale)
        first.bias.mul_(scale)
        second.weight /= scale.reshape(1, -1, 1, 1)


@pytest.fixture(scope="module")
def digits() -> tuple[Program, Program, Samples, Samples, Tensor]:
    """The example as it is, and rescaled; calibration samples, evaluation samples, labels."""
    project = Project.read(folder("digits"))
    calibration, evaluation = load_samples(project, "calibration", 60), load_samples(project, "evaluation")
    plain, model = capture(load(project)), load(project)
    net: Any = model.module.model
    torch.manual_seed(0)
    rescaled(net.bn1, net.conv2)
    rescaled(net.block.bn1, net.block.conv2)
    tensors = torch.from_numpy(evaluation.labels)
    return plain, capture(model), batches(calibration, project), batches(evaluation, project), tensors


def test_a_network_that_per_tensor_weights_break_is_made_whole(
    digits: tuple[Program, Program, Samples, Samples, Tensor],
) -> None:
    plain, odd, calibration, evaluation, labels = digits
    wanted, same = outputs(plain, evaluation), outputs(odd, evaluation)
    torch.testing.assert_close(same, wanted, rtol=1e-3, atol=1e-3)

    def points(program: Program) -> float:
        return 100 * float((outputs(program, evaluation).argmax(1) == labels).float().mean())

    broken = quantize(odd, Quantize(weights=PER_TENSOR), onnx, calibration, calibration[:2])
    healed = quantize(odd, Quantize(weights=PER_TENSOR, equalize=True), onnx, calibration, calibration[:2])
    assert points(broken) < points(plain) - 20
    assert points(healed) >= points(plain) - 0.5
    assert [record.name for record in healed.history] == ["fold-batch-norm", "equalize", "quantize"]
    folded, equal, quantized = (record.sqnr_db for record in healed.history)
    assert min(folded, equal) > 80
    assert 20 < quantized < 60
    options = dict(healed.history[1].options)
    assert options["pairs"] == "conv1-conv2 block.conv1-block.conv2"
    assert float(options["largest factor"]) > 4


def test_folding_leaves_no_batch_norm_and_nothing_of_it(
    digits: tuple[Program, Program, Samples, Samples, Tensor],
) -> None:
    plain, _, calibration, _, _ = digits
    folded = FoldBatchNorm()(plain, calibration[:2])
    assert "batch_norm" in str(plain.exported.graph)
    assert "batch_norm" not in str(folded.exported.graph)
    assert not any("running" in name or "bn" in name for name in folded.exported.state_dict)


def chain(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*layers)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.a(x))
        z: Tensor = y + self.c(torch.relu(self.b(y)))
        return z


def conv(inputs: int = 4, outputs: int = 4, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, groups=groups)


CHAINS: dict[str, tuple[nn.Module, list[str]]] = {
    "depthwise": (chain(conv(), nn.ReLU(), conv(groups=4), nn.ReLU(), conv()), ["0-2", "2-4"]),
    "grouped": (chain(conv(), nn.LeakyReLU(), conv(4, 6, 2)), ["0-2"]),
    "pooled": (chain(conv(), nn.ReLU(), nn.MaxPool2d(2), nn.ZeroPad2d(1), nn.AvgPool2d(2), conv()), ["0-5"]),
    "flattened": (chain(conv(), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 5)), ["0-3"]),
    "averaged": (chain(conv(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)), ["0-4"]),
    "linear": (chain(nn.Flatten(), nn.Linear(256, 8), nn.ReLU(), nn.Linear(8, 5)), ["1-3"]),
    "no bias": (chain(nn.Conv2d(4, 4, 1, bias=False), nn.ReLU(), conv()), ["0-2"]),
    "second use": (Residual(), ["b-c"]),
    "relu6": (chain(conv(), nn.ReLU6(), conv()), []),
    "hard-swish": (chain(conv(), nn.Hardswish(), conv()), []),
    "sigmoid": (chain(conv(), nn.Sigmoid(), conv()), []),
    "last axis": (chain(conv(), nn.ReLU(), nn.Linear(8, 8)), []),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_is_equalized_as_far_as_a_factor_passes(name: str) -> None:
    net, wanted = CHAINS[name]
    before = program(net, torch.randn(1, 4, 8, 8))
    samples = [(torch.randn(1, 4, 8, 8),) for _ in range(3)]
    names_of_pairs = [f"{pair.first.name}-{pair.second.name}" for pair in pairs(before.exported.module())]
    assert names_of_pairs == wanted
    after = Equalize()(before, samples)
    torch.testing.assert_close(outputs(after, samples), outputs(before, samples), rtol=1e-4, atol=1e-5)
    assert (after.history[-1].sqnr_db == math.inf) == (not wanted)


def test_both_sides_of_a_pair_get_the_same_ranges() -> None:
    net: Any = chain(conv(), nn.ReLU(), conv())
    with torch.no_grad():
        net[0].weight *= 2.0 ** torch.tensor([-5, 0, 3, 6]).reshape(-1, 1, 1, 1)
        net[0].weight[1] = 0  # a channel that is dead stays as it is
    before = program(net, torch.randn(1, 4, 8, 8))
    state = Equalize()(before, [(torch.randn(1, 4, 8, 8),)]).exported.state_dict
    first = state["0.weight"].abs().amax((1, 2, 3)).numpy()
    second = state["2.weight"].abs().amax((0, 2, 3)).numpy()
    np.testing.assert_allclose(first[[0, 2, 3]], second[[0, 2, 3]], rtol=0.01)
    assert first[1] == 0
    assert second[1] == pytest.approx(float(net[2].weight.detach()[:, 1].abs().max()))
