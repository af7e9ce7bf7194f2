"""Layout operators, norms and activations in one delegate, with no kernel outside, and with the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.executorch import ExecuTorch
from edgekit.ir.signature import TensorSpec
from tests.backends.executorch_examples import RUNTIME, TARGET, Samples, capture, reference, run

pytestmark = pytest.mark.lowers


class Layouts(nn.Module):
    """Every operator that is rewritten, once: on [1, 8, 8] rows, after a rotation of [1, 4, 4, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.group_norm = nn.LayerNorm(8), nn.GroupNorm(2, 8)
        self.linear, self.prelu = nn.Linear(8, 8), nn.PReLU(8)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.roll(x, (1, -1), (2, 3)).reshape(1, 8, 8)
        x = self.group_norm(self.linear(self.norm(100.0 + x)))
        even, odd = x[:, 0::2], x[:, 1::2]
        first, second = torch.cat([odd, even], 1).split_with_sizes([3, 5], 1)
        y = torch.stack([first.mean(1), second[:, -2], *second[:, :2].unbind(1)], 1)
        y = self.prelu(y.squeeze(0)).unsqueeze(1)
        return nn.functional.gelu(nn.functional.normalize(y.sum(0), dim=1), approximate="tanh")


def test_a_graph_of_layouts_and_norms_is_one_fragment(tmp_path: Path) -> None:
    torch.manual_seed(0)
    program = capture(Layouts(), TensorSpec("x", "float32", (1, 4, 4, 4)))
    artifact = ExecuTorch().lower(program, TARGET, RUNTIME, tmp_path)
    outside = [operator.name for operator in artifact.placement.operators if operator.delegate is None]
    assert set(outside) <= {"aten::expand_copy.out"}  # of `normalize`
    assert artifact.fragments is not None
    assert artifact.fragments.count <= 3
    assert artifact.macs == 8 * 8 * 8  # sums and means are none
    assert artifact.weight_bytes == 4 * 8 * 8
    samples: Samples = [(torch.randn(1, 4, 4, 4),) for _ in range(3)]
    np.testing.assert_allclose(run(artifact, samples), reference(program, samples), rtol=1e-4, atol=1e-5)
