"""Products by constants: written as linear layers, of the same function, with every constant stored once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from edgekit.frontend.canonical import canonical

aten = torch.ops.aten
N, K, M, E = 3, 4, 5, 2


class Experts(nn.Module):
    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.weight = nn.Parameter(torch.randn(E, K, M, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight
        if self.form == "slices":
            return torch.stack([x @ weight[each] for each in range(E)])
        if self.form == "in common":
            return x @ weight
        if self.form == "each its own":
            return torch.bmm(torch.stack([x, 2 * x]), weight)
        if self.form == "equation":
            return torch.einsum("nk,ekm->nem", x, weight)
        if self.form == "equation, each its own":
            return torch.einsum("nek,ekm->nem", torch.stack([x, 2 * x], 1), weight)
        if self.form == "scaled":
            return x @ (weight[0] * 2)
        assert self.form == "transposed"
        return x @ weight.reshape(M * E, K).T


def program(network: nn.Module, *inputs: Tensor) -> ExportedProgram:
    with torch.no_grad():
        return canonical(torch.export.export(network.eval(), inputs))


def count(exported: ExportedProgram, *operators: object) -> int:
    return sum(node.target in operators for node in exported.graph.nodes)


@pytest.mark.parametrize(
    ("form", "layers"),
    [
        ("slices", E),
        ("in common", 1),
        ("each its own", E),
        ("equation", 1),
        ("equation, each its own", E),
        ("scaled", 1),
        ("transposed", 1),
    ],
)
def test_products_by_constants_are_linear_layers(form: str, layers: int) -> None:
    network, x = Experts(form), torch.randn(N, K, generator=torch.Generator().manual_seed(1))
    exported = program(network, x)
    assert count(exported, aten.linear.default) == layers
    assert not count(exported, aten.matmul.default, aten.mm.default, aten.bmm.default, aten.einsum.default)
    torch.testing.assert_close(exported.module()(x), network(x))
    stored = sum(tensor.numel() for tensor in exported.state_dict.values())
    assert stored == (K * M if form == "scaled" else E * K * M)


class Tied(nn.Module):
    """Embedding whose table is the output layer too, or whose rows are multiplied as they are stored."""

    def __init__(self, transposed: bool) -> None:
        super().__init__()
        self.table, self.transposed = nn.Embedding(K, K), transposed

    def forward(self, tokens: Tensor) -> Tensor:
        table = self.table.weight
        scores: Tensor = self.table(tokens) @ (table.T if self.transposed else table)
        return scores


@pytest.mark.parametrize("transposed", [True, False])
def test_a_table_that_is_looked_up_too_is_stored_once(transposed: bool) -> None:
    exported = program(Tied(transposed), torch.tensor([[0, 2, 1]]))
    assert count(exported, aten.linear.default) == transposed
    assert [tuple(tensor.shape) for tensor in exported.state_dict.values()] == [(K, K)]


def test_products_of_two_activations_stay() -> None:
    class Scores(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x @ x.transpose(1, 2)

    exported = program(Scores(), torch.randn(1, N, K))
    assert count(exported, aten.matmul.default) == 1
