"""SmoothQuant: outliers go into the weights where a layer norm's readers allow it, and int8 is better for it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from edgekit.ir.program import Program
from edgekit.passes.quantization.quantize import quantize
from edgekit.passes.quantization.smooth_quant import Smooth, normed
from edgekit.specs.compression import Quantize
from tests.passes.small_networks import Samples, onnx, outputs, program

WIDTH = 16


class Block(nn.Module):
    """A pre-norm transformer block, with one channel of each norm a hundred times the others."""

    def __init__(self, post_norm: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.post_norm = post_norm
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        with torch.no_grad():
            for norm in (self.first, self.second):
                norm.weight[3] = 100
            for layer in (self.q, self.k, self.v, self.up):
                layer.weight[:, 3] /= 100

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        scores = (self.q(y) @ self.k(y).transpose(1, 2) / math.sqrt(WIDTH)).softmax(-1)
        x = (y if self.post_norm else x) + self.out(scores @ self.v(y))
        answer: Tensor = x + self.down(nn.functional.gelu(self.up(self.second(x))))
        return answer


@pytest.fixture(scope="module")
def block() -> Program:
    return program(Block(), torch.zeros(1, 6, WIDTH))


@pytest.fixture(scope="module")
def samples() -> Samples:
    torch.manual_seed(1)
    return [(torch.randn(1, 6, WIDTH),) for _ in range(40)]


def test_smoothing_leaves_the_function_and_helps_int8(block: Program, samples: Samples) -> None:
    smoothed = Smooth(0.5, samples)(block, samples[:4])
    torch.testing.assert_close(outputs(smoothed, samples), outputs(block, samples), rtol=1e-3, atol=1e-4)
    assert dict(smoothed.history[-1].options)["layers"] == "q k v up"
    plain, smooth = (quantize(block, Quantize(smooth=alpha), onnx, samples, samples) for alpha in (None, 0.5))
    assert [record.name for record in smooth.history] == ["smooth", "quantize"]
    assert smooth.history[-1].sqnr_db > plain.history[-1].sqnr_db + 6


def test_a_channel_is_divided_by_as_much_as_the_paper_says(block: Program, samples: Samples) -> None:
    module = block.exported.module()
    first = next(iter(normed(module)))
    assert [layer.name for layer in first.readers] == ["q", "k", "v"]
    after = Smooth(0.5, samples)(block, samples[:1]).exported.state_dict
    # With alpha 0.5 activations and weights end with the same range in every channel.
    given = outputs(program(_first(after), torch.zeros(1, 6, WIDTH)), samples).abs().amax((0, 1))
    ranges = torch.stack([after[f"{name}.weight"].abs().amax(0) for name in "qkv"]).amax(0)
    torch.testing.assert_close(given, ranges.detach(), rtol=1e-3, atol=1e-4)


def _first(state: dict[str, Tensor]) -> nn.Module:
    norm = nn.LayerNorm(WIDTH)
    norm.load_state_dict({name: state[f"first.{name}"] for name in ("weight", "bias")})
    return norm


def test_a_norm_that_a_residual_reads_is_left_alone(samples: Samples) -> None:
    module = program(Block(post_norm=True), torch.zeros(1, 6, WIDTH)).exported.module()
    assert [[layer.name for layer in group.readers] for group in normed(module)] == [["up"]]
