"""Simulation of programs on several samples at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule
from torchao.quantization.pt2e import MinMaxObserver

from edgekit.passes.quantization.bias_correction import unobserved
from edgekit.passes.quantization.simulate import TOGETHER, batch_of, observers, simulated, unguarded


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


def test_values_that_share_an_observer_are_rounded_in_every_place() -> None:
    """As inputs and output of a concatenation: torchao puts one observer there, under a name for each."""
    root = nn.Module()
    root.first = root.second = MinMaxObserver(dtype=torch.uint8, quant_min=0, quant_max=255)
    graph = Graph()
    first = graph.call_module("first", (graph.placeholder("x"),))
    graph.output((graph.call_module("second", (graph.call_function(torch.ops.aten.neg.default, (first,)),)),))
    prepared = GraphModule(root, graph)
    assert [node.target for node, _ in observers(prepared)] == ["first", "second"]
    prepared(torch.tensor([-1.0, 1.0]))
    rounded = simulated(prepared)(torch.tensor([0.004, 9.0]))[0]
    torch.testing.assert_close(rounded, torch.tensor([-1.0, -127.0]) * 2 / 255)
    assert not list(observers(unobserved(prepared)))
