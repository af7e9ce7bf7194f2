"""Check of a rewrite of operators: the operators that it leaves, by name, and the values, by torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Graph, GraphModule

CHECKS = ("_assert", "lift_fresh_copy")
"""Beginnings of the names of operators that compute nothing."""


class Function(nn.Module):
    """Module that calls one of torch's functions on its input."""

    def __init__(self, call: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x)


def uneven(module: nn.Module) -> nn.Module:
    """Module whose gains, biases and slopes differ from channel to channel."""
    for number, parameter in enumerate(module.parameters()):
        torch.manual_seed(number)
        nn.init.uniform_(parameter, -1.0, 1.5)
    return module.eval()


def operators(graph: Graph) -> str:
    """Names of the operators that compute something, in order; torch names a slice also a narrow."""
    calls = [str(node.target).removeprefix("aten.") for node in graph.nodes if node.op == "call_function"]
    names = [call.partition(".")[0].replace("narrow", "slice") for call in calls]
    return " ".join(name for name in names if not name.startswith(CHECKS))


def check_form(
    module: nn.Module, shape: Sequence[int], expected: str, rewrite: Callable[[ExportedProgram], GraphModule]
) -> None:
    """Assert that `rewrite` makes these operators of a module, and that they compute what it does.

    shape: of the module's input. expected: names of the operators, in order.
    """
    torch.manual_seed(7)
    x = 3 * torch.randn(tuple(shape))
    exported = torch.export.export(module, (x,))
    rewritten = rewrite(exported)
    assert operators(rewritten.graph) == expected
    torch.testing.assert_close(rewritten(x), exported.module()(x), rtol=1e-5, atol=1e-5)
