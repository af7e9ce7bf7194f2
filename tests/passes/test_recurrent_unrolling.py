"""Recurrent layers that are written out compute what they did."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

from edgekit.passes.recurrent_unrolling import CELLS, is_recurrent, with_unrolled_recurrence

pytestmark = pytest.mark.filterwarnings("ignore:The tensor attribute:UserWarning")


class Layers(nn.Module):
    """Recurrent layers with all of their answers, on [2, 6, 5] or [6, 2, 5]."""

    def __init__(self, kind: type[nn.RNNBase], **options: Any) -> None:
        super().__init__()
        self.cell = kind(5, 8, **options)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        answer, end = self.cell(x)
        return (answer, *(end if isinstance(end, tuple) else (end,)))


def captured(network: nn.Module) -> tuple[fx.GraphModule, Tensor]:
    torch.manual_seed(5)
    x = torch.randn(2, 6, 5)
    module = torch.export.export(network.eval(), (x,)).module()
    assert isinstance(module, fx.GraphModule)
    return module, x


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
@pytest.mark.parametrize(
    "options",
    [{"batch_first": True}, {"num_layers": 2, "bias": False}, {"bidirectional": True, "num_layers": 2}],
    ids=["batch first", "two layers", "both directions"],
)
def test_layers_that_are_written_out_give_the_same_answers(kind: type[nn.RNNBase], options: dict[str, Any]) -> None:
    model, x = captured(Layers(kind, **options))
    expected = model(x)
    unrolled = with_unrolled_recurrence(model, ())
    assert not {node.target for node in unrolled.graph.nodes} & CELLS.keys()
    for one, other in zip(expected, unrolled(x), strict=True):
        torch.testing.assert_close(one, other)
    linear = [node for node in unrolled.graph.nodes if node.target is torch.ops.aten.linear.default]
    assert all(map(is_recurrent, linear))
    assert len({node.args[1].target for node in linear}) == 2 * (2 if len(options) > 1 else 1) * (
        2 if "bidirectional" in options else 1
    )


def test_skipped_and_projected_layers_stay() -> None:
    for network, skip in ((Layers(nn.GRU), ("cell",)), (Layers(nn.LSTM, proj_size=3), ())):
        model, _ = captured(network)
        assert {node.target for node in with_unrolled_recurrence(model, skip).graph.nodes} & CELLS.keys()
