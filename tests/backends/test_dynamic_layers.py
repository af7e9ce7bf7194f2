"""Layers of a static program that find ranges at run time: a vision transformer of one block on the three backends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekit.backends.onnx import Onnx
from edgekit.backends.verify import file_outputs
from edgekit.errors import Misfit
from edgekit.ir.signature import TensorSpec
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.quantization.quantize import quantize
from edgekit.specs.compression import Quantize
from edgekit.specs.target import RuntimeSpec
from tests.backends.boards import board
from tests.backends.executorch_examples import capture
from tests.backends.loaded_backend import loaded_backend
from tests.backends.test_facts import RUNTIMES

pytestmark = [pytest.mark.lowers, pytest.mark.usefixtures("one_thread")]

WIDTH, HEADS, TOKENS = 32, 2, 16
LINEAR = TOKENS * (4 * WIDTH * WIDTH + 2 * 2 * WIDTH * WIDTH)
"""Multiply-accumulates of the linear layers of a block."""
PRODUCTS = 2 * TOKENS * TOKENS * WIDTH


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        # A gain that the converter may multiply into the weights of the layers behind it.
        for norm in (self.norm1, self.norm2):
            nn.init.uniform_(norm.weight, 0.5, 2.0)
            nn.init.uniform_(norm.bias, -0.5, 0.5)
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.feedforward = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        parts = [layer(y).reshape(1, TOKENS, HEADS, -1).transpose(1, 2) for layer in (self.query, self.key, self.value)]
        x = x + self.out(F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2))
        answer: Tensor = x + self.feedforward(self.norm2(x))
        return answer


class Transformer(nn.Module):
    """Vision transformer of one block for images of 32 × 32."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 8, 8)
        self.positions = nn.Parameter(0.5 * torch.randn(1, TOKENS, WIDTH))
        self.block = Block()
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2) + self.positions
        answer: Tensor = self.head(self.norm(self.block(x)).mean(1))
        return answer


def recipe(network: nn.Module) -> Quantize:
    """Recipe with every linear layer, and attention, dynamic."""
    layers = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return Quantize(overrides=dict.fromkeys([*layers, "block:scaled_dot_product_attention"], "dynamic-int8"))


@pytest.mark.parametrize("name", RUNTIMES)
def test_dynamic_layers_multiply_integers_and_answer_as_the_network(tmp_path: Path, name: str) -> None:
    backend, runtime = loaded_backend(name), RUNTIMES[name]
    torch.manual_seed(0)
    network = Transformer().eval()
    images = torch.randn(8, 3, 32, 32)
    samples = [(image[None],) for image in images]
    program = capture(network, TensorSpec("image", "float32", (1, 3, 32, 32)))
    quantized = quantize(
        program, recipe(network), lambda one: backend.quantization(one, runtime), samples[:4], samples[:2]
    )
    artifact = backend.lower(quantized, board(runtime), runtime, tmp_path)
    in_float = sum(each.macs for each in artifact.placement.operators if not each.integer)
    # XNNPACK has products of two activations in float only.
    assert in_float == (0 if name == "onnx" else PRODUCTS)
    assert artifact.macs == LINEAR + PRODUCTS + TOKENS * WIDTH * 192 + 10 * WIDTH
    with torch.no_grad():
        expected = torch.cat([network(image) for (image,) in samples]).numpy()
    # The file, not the program alone: a scale or a zero point in the wrong place would leave hardly a decibel.
    assert sqnr_db(expected, file_outputs(artifact, [np.asarray(images)])[0]) > 18


def test_tensorrt_refuses_ranges_at_run_time() -> None:
    runtime = RuntimeSpec(backend="onnx", delegates=("tensorrt",), activations="int8")
    with pytest.raises(Misfit, match="the range of each") as caught:
        Onnx().quantization(Quantize(overrides={"head": "dynamic-int8"}), runtime)
    assert "'head'" in str(caught.value.hint)
