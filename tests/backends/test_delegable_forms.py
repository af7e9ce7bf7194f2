"""Forms in which XNNPACK takes what its partitioner leaves to portable kernels: operators by name, values by torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgekit.backends.executorch.delegable_forms import with_delegable_forms
from tests.backends.operator_forms import Function, check_form, operators, uneven

NORMALIZED = "linear sub linear sub mul linear add rsqrt mul"
CASES = {
    "layer norm": (uneven(nn.LayerNorm(24)), (2, 5, 24), f"{NORMALIZED} mul add"),
    "layer norm without gain": (nn.LayerNorm(24, elementwise_affine=False), (3, 24), NORMALIZED),
    "layer norm of two axes": (
        uneven(nn.LayerNorm([4, 6])), (2, 4, 6), f"reshape {NORMALIZED} reshape mul add",
    ),
    "RMS norm": (uneven(nn.RMSNorm(24)), (2, 24), "mul linear add rsqrt mul mul"),
    "group norm": (uneven(nn.GroupNorm(3, 6)), (2, 6, 4, 5), f"reshape {NORMALIZED} reshape mul add"),
    "instance norm": (
        uneven(nn.InstanceNorm1d(6, affine=True)), (2, 6, 7), f"reshape {NORMALIZED} reshape mul add",
    ),
    "mean of the last axis": (Function(lambda x: x.mean(-1, True)), (2, 3, 8), "reshape linear reshape"),
    "mean of rows": (Function(lambda x: x.mean((1, 2))), (2, 3, 4, 5), "reshape transpose linear reshape"),
    "sum": (Function(lambda x: x.sum(1)), (2, 3, 4), "reshape transpose linear reshape"),
    "mean of a picture": (Function(lambda x: x.mean((2, 3))), (2, 3, 4, 5), "mean"),
    "mean of axes apart": (Function(lambda x: x.mean((0, 2))), (2, 3, 4), "mean"),
    "norm": (Function(lambda x: torch.linalg.vector_norm(x, dim=1)), (2, 9), "mul reshape linear reshape sqrt"),
    "norm of sums": (Function(lambda x: torch.linalg.vector_norm(x, 1, 1)), (2, 9), "linalg_vector_norm"),
    "power of 2": (Function(lambda x: x**2.0), (2, 9), "mul"),
    "power of 3": (Function(lambda x: x**3), (2, 9), "pow"),
    "rotation": (
        Function(lambda x: torch.roll(x, (-1, 2), (1, 2))), (1, 4, 5, 2), "slice slice cat slice slice cat",
    ),
    "rotation of integers": (Function(lambda x: torch.roll(x.long(), 1, 1)), (1, 4), "to roll"),
    "PReLU of a matrix": (uneven(nn.PReLU(6)), (5, 6), "relu neg relu mul sub"),
    "PReLU of a sequence": (uneven(nn.PReLU(6)), (2, 6, 7), "relu neg relu mul sub"),
    "PReLU of a picture": (uneven(nn.PReLU(6)), (2, 6, 4, 4), "prelu"),
    "GELU": (nn.GELU(), (2, 9), "gelu"),
    "GELU by tanh": (nn.GELU("tanh"), (2, 9), "mul mul mul add mul mul tanh add mul"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_operators_have_forms_that_compute_the_same(name: str) -> None:
    module, shape, expected = CASES[name]
    check_form(module, shape, expected, lambda exported: with_delegable_forms(exported).module())


@pytest.mark.parametrize("mean", [0.0, 10.0, 1000.0])
def test_layer_norm_is_exact_for_a_large_mean(mean: float) -> None:
    module = nn.LayerNorm(192)
    x = mean + torch.randn(4, 192, generator=torch.Generator().manual_seed(0))
    rewritten = with_delegable_forms(torch.export.export(module, (x,))).module()
    exact = nn.functional.layer_norm(x.double(), (192,))
    assert (rewritten(x).double() - exact).abs().max() < 1e-5


def test_a_program_without_such_operators_is_returned_as_it_is() -> None:
    exported = torch.export.export(nn.Linear(3, 4), (torch.zeros(1, 3),))
    assert with_delegable_forms(exported) is exported


def test_norms_of_free_length_keep_it() -> None:
    length = torch.export.Dim("length", min=2, max=9)
    shapes = {"input": {1: length}}
    exported = torch.export.export(nn.LayerNorm(8), (torch.zeros(1, 4, 8),), dynamic_shapes=shapes)
    rewritten = with_delegable_forms(exported).module()
    assert "layer_norm" not in operators(with_delegable_forms(exported).graph)
    assert rewritten(torch.randn(1, 7, 8)).shape == (1, 7, 8)
