"""Simulation of programs on several samples at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgekit.passes.quantization.simulate import TOGETHER, batch_of, unguarded


class Steps(nn.Module):
    """Outputs of every step of a recurrent layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        steps: Tensor = self.layer(x)[0]
        return steps


@pytest.mark.filterwarnings("ignore:The tensor attributes")  # of torch.export
@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_take_one_sample_at_a_time(layer: type[nn.Module]) -> None:
    samples = [(torch.randn(1, 6, 8),) for _ in range(4)]
    program = torch.export.export(Steps(layer(8, 16, batch_first=True)).eval(), samples[0])
    assert batch_of(unguarded(program.module()), samples) == 1  # two at a time ended the process of an LSTM


def test_layers_of_a_batch_take_many() -> None:
    rows = [(torch.randn(1, 8),) for _ in range(4)]
    program = torch.export.export(nn.Linear(8, 3).eval(), rows[0])
    assert batch_of(unguarded(program.module()), rows) == TOGETHER
