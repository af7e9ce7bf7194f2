"""A factor behind the last layer is folded into its weights, where nothing else reads that layer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgekit.frontend.canonical import canonical

X = torch.linspace(-1, 1, 8).reshape(1, 8)


class Scaled(nn.Module):
    """A linear layer, and a temperature behind it in one of several places."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.kind = nn.Linear(8, 5, bias=kind != "no bias"), kind

    def forward(self, x: Tensor) -> object:
        logits = self.layer(x)
        if self.kind == "view":
            return logits.reshape(1, 1, 5).squeeze(1) / 1.7
        if self.kind == "read twice":
            return logits / 1.7, logits.sum()
        if self.kind == "activation":
            return torch.relu(logits) / 1.7
        if self.kind == "times":
            return logits * 0.4
        return logits / 1.7


@pytest.mark.parametrize(
    ("kind", "folded"),
    [("plain", True), ("no bias", True), ("view", True), ("times", True), ("read twice", False), ("activation", False)],
)
def test_the_answers_stay_and_the_operator_goes(kind: str, folded: bool) -> None:
    network = Scaled(kind).eval()
    exported = canonical(torch.export.export(network, (X,)))
    calls = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert (not calls & {"aten.div.Tensor", "aten.mul.Tensor"}) is folded
    expected, answer = network(X), exported.module()(X)
    for one, other in zip(*(each if isinstance(each, tuple) else (each,) for each in (expected, answer)), strict=True):
        torch.testing.assert_close(other, one)
