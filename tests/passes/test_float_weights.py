"""Weights that stay in float are named by module, with their share of all weights."""

from __future__ import annotations

import pytest
import torch
import torchao.quantization.pt2e  # noqa: F401  registers torch.ops.quantized_decomposed
from torch import Tensor, nn

from edgekit.passes.float_weights import FloatWeights, float_remark, float_weights


class Tags(nn.Module):
    """Table of 100 x 8, a GRU of 8 to 4, and a linear layer of 4 to 5, which `rounded` stores in int8."""

    integers: Tensor

    def __init__(self, rounded: bool) -> None:
        super().__init__()
        self.words, self.gru, self.head = nn.Embedding(100, 8), nn.GRU(8, 4, batch_first=True), nn.Linear(4, 5)
        self.rounded = rounded
        self.register_buffer("integers", torch.ones(5, 4, dtype=torch.int8))

    def forward(self, tokens: Tensor) -> Tensor:
        x: Tensor = self.gru(self.words(tokens))[0]
        scores: Tensor = nn.functional.linear(x, self.integers.float()) if self.rounded else self.head(x)
        return scores


@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")
@pytest.mark.parametrize("rounded", [False, True])
def test_operators_with_float_weights_are_named_the_largest_first(rounded: bool) -> None:
    exported = torch.export.export(Tags(rounded).eval(), (torch.zeros(1, 6, dtype=torch.int64),))
    table, cell, head = 100 * 8, 12 * (8 + 4), 5 * 4
    total = table + cell + head
    expected = [FloatWeights("words", "embedding", table / total), FloatWeights("gru", "gru", cell / total)]
    assert list(float_weights(exported)) == [
        *expected,
        *([] if rounded else [FloatWeights("head", "linear", 20 / total)]),
    ]


@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")
@pytest.mark.parametrize(("projected", "kind"), [(0, "lstm"), (2, "lstm with projections")])
def test_projections_are_named_for_they_keep_an_lstm_in_float(projected: int, kind: str) -> None:
    cell = nn.LSTM(8, 4, batch_first=True, bidirectional=True, proj_size=projected)
    exported = torch.export.export(cell.eval(), (torch.zeros(1, 6, 8),))
    assert [each.kind for each in float_weights(exported)] == [kind]


def test_a_weight_that_is_rounded_in_the_graph_is_none_in_float() -> None:
    layer = nn.Linear(4, 5)
    exported = torch.export.export(layer, (torch.zeros(1, 4),))
    (call,) = (node for node in exported.graph.nodes if node.op == "call_function")
    assert [weights.kind for weights in float_weights(exported)] == ["linear"]
    weight = call.args[1]
    with exported.graph.inserting_before(call):
        rounded = exported.graph.call_function(
            torch.ops.quantized_decomposed.quantize_per_tensor.default, (weight, 0.1, 0, -128, 127, torch.int8)
        )
        call.args = (call.args[0], rounded, *call.args[2:])
    rounded.meta["val"] = torch.zeros(5, 4, dtype=torch.int8)
    assert float_weights(exported) == ()


def test_the_remark_names_operators_and_the_next_step() -> None:
    table, cell = FloatWeights("words", "embedding", 0.8), FloatWeights("gru", "gru", 0.15)
    positions = FloatWeights("", "add", 0.01)
    both = float_remark((table, cell, positions))
    assert both.startswith("In float stay 'words' (embedding, 80% of all weights), 'gru' (gru, 15% of all weights):")
    assert "integer_share=false" in both
