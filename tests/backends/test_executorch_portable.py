"""Work that falls back, and weights that take a detour, are counted as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekit.backends.executorch import ExecuTorch
from edgekit.errors import UnsupportedOperator
from edgekit.ir.artifact import Artifact
from edgekit.ir.program import Program
from edgekit.ir.signature import TensorSpec
from edgekit.specs.compression import Quantize, Weights
from tests.backends.executorch_examples import RUNTIME, TARGET, Samples, capture, quantize, reference, run

pytestmark = pytest.mark.lowers

PER_TENSOR = Weights(granularity="per-tensor")


@pytest.fixture
def lower(tmp_path: Path) -> Callable[[Program], Artifact]:
    return lambda program: ExecuTorch().lower(program, TARGET, RUNTIME, tmp_path)


class Products(nn.Module):
    """Products of two activations; XNNPACK convolves with constants only."""

    def forward(self, x: Tensor) -> Tensor:
        kernel = x.reshape(4, 4, 4, 4)
        y = F.conv_transpose2d(F.conv2d(x, kernel), kernel, stride=2)
        return y[0, 0] @ y[0, 1]


def test_products_that_fall_back_are_counted(lower: Callable[[Program], Artifact]) -> None:
    program = capture(Products(), TensorSpec("x", "float32", (1, 4, 8, 8)))
    artifact = lower(program)
    counted = [(operator.name, operator.macs) for operator in artifact.placement.operators if operator.macs]
    assert counted == [
        ("aten::convolution.out", (4 * 5 * 5) * (4 * 4 * 4)),
        ("aten::convolution.out", (4 * 5 * 5) * (4 * 4 * 4)),
        ("aten::mm.out", 12 * 12 * 12),
    ]
    assert artifact.placement.fallback > 0.98
    assert artifact.integer == 0
    np.testing.assert_allclose(run(artifact, samples(4, 8, 8)), reference(program, samples(4, 8, 8)), rtol=1e-3)


class Attending(nn.Module):
    """Self-attention, whose first products XNNPACK runs in float only, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.attention(x[0], x[0], x[0])[0])
        return output


@pytest.fixture
def attending() -> Program:
    torch.manual_seed(0)
    return capture(Attending(), TensorSpec("x", "float32", (1, 4, 8, 8)))


def test_integer_weights_in_float_products_show_in_the_shares(
    attending: Program, lower: Callable[[Program], Artifact]
) -> None:
    artifact = lower(quantize(attending, Quantize(weights=PER_TENSOR), samples(4, 8, 8)))
    assert artifact.integer == 1
    assert 0 < artifact.integer_macs < 0.5


def test_float_weights_are_found_behind_transposes_and_expansions(
    attending: Program, lower: Callable[[Program], Artifact]
) -> None:
    artifact = lower(quantize(attending, Quantize(weights=PER_TENSOR, skip=("attention",)), samples(4, 8, 8)))
    assert artifact.integer == pytest.approx(64 / (4 * 64 + 64))


def test_quantized_module_that_nothing_runs_is_named_with_the_way_out(
    attending: Program, lower: Callable[[Program], Artifact]
) -> None:
    with pytest.raises(UnsupportedOperator, match=r"dequantize_per_channel' at activation\.py") as caught:
        lower(quantize(attending, Quantize(), samples(4, 8, 8)))
    assert "[quantize] skip" in str(caught.value.hint)


def samples(*shape: int) -> Samples:
    random = torch.Generator().manual_seed(0)
    return [(torch.randn(1, *shape, generator=random),) for _ in range(4)]
