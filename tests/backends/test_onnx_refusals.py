"""What the onnx backend cannot take, and what it says then."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.onnx import Onnx
from edgekit.errors import LoweringError, UnsupportedOperator
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from tests.backends.boards import onnx_board

pytestmark = pytest.mark.lowers

TARGET, RUNTIME = onnx_board("int8")


class Bessel(nn.Module):
    """An operator that ONNX does not have."""

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = torch.special.bessel_j0(x)
        return output


class Wrapped(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.model(x)
        return output


def capture(model: nn.Module, x: Tensor, output: TensorSpec) -> Program:
    edges = Signature((TensorSpec("x", str(x.dtype).removeprefix("torch."), tuple(x.shape)),), (output,))
    return Program(torch.export.export(Wrapped(model).eval(), (x,)), edges)


def test_an_operator_that_onnx_lacks_is_named_with_its_module_and_line(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), Bessel())
    program = capture(model, torch.zeros(1, 4), TensorSpec("y", "float32", (1, 4)))
    with pytest.raises(
        UnsupportedOperator, match=r"'prims.bessel_j0' in module '1' \(test_onnx_refusals.py, line \d+\)"
    ):
        Onnx().lower(program, TARGET, RUNTIME, tmp_path)


def test_a_type_that_onnxruntime_has_no_kernel_for_is_refused_by_operator(tmp_path: Path) -> None:
    program = capture(
        nn.Conv2d(1, 1, 3).double(), torch.zeros(1, 1, 3, 3).double(), TensorSpec("y", "float64", (1, 1, 1, 1))
    )
    with pytest.raises(UnsupportedOperator, match="onnxruntime has no kernel for 'Conv'"):
        Onnx().lower(program, TARGET, RUNTIME, tmp_path)


def test_a_file_whose_edges_are_not_the_programs_is_refused(tmp_path: Path) -> None:
    program = capture(nn.Linear(4, 3), torch.zeros(1, 4), TensorSpec("y", "float32", (1, 4)))
    with pytest.raises(LoweringError, match=r"gives y: float32\[1, 3\], the program y: float32\[1, 4\]"):
        Onnx().lower(program, TARGET, RUNTIME, tmp_path)
