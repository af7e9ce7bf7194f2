"""Passes of XNNPACK trace a graph again only after something changed it, and the file is the one that they write."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.executorch import retrace
from edgekit.backends.executorch.convert import convert
from edgekit.ir.signature import TensorSpec
from edgekit.specs.compression import Quantize
from tests.backends.executorch_examples import Samples, capture, quantize

pytestmark = [pytest.mark.lowers, pytest.mark.usefixtures("one_thread")]


class Net(nn.Module):
    """A convolution whose activation, and a linear layer whose pattern, XNNPACK's passes rewrite."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv1d(4, 4, 3, padding=1), nn.BatchNorm1d(4)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        output: Tensor = torch.cat([self.head(x), x[..., :4]], 1)
        return output


@pytest.mark.parametrize("recipe", [None, Quantize()], ids=["float", "int8"])
def test_fewer_retraces_write_the_same_file(monkeypatch: pytest.MonkeyPatch, recipe: Quantize | None) -> None:
    from executorch.exir.pass_base import ExportPass

    torch.manual_seed(0)
    spec = TensorSpec("x", "float32", (1, 4, 8))
    program = capture(Net(), spec)
    samples: Samples = [(torch.randn(spec.shape),) for _ in range(2)]
    program = quantize(program, recipe, samples) if recipe else program
    traced = ExportPass.call_submodule
    counts: list[int] = []

    def counting(self: Any, *given: Any) -> Any:
        counts[-1] += 1
        return traced(self, *given)

    monkeypatch.setattr(ExportPass, "call_submodule", counting)
    files = []
    for context in (retrace.without_idle_retraces, contextlib.nullcontext):
        monkeypatch.setattr("edgekit.backends.executorch.retrace.without_idle_retraces", context)
        counts.append(0)
        files.append(convert(program))
    assert files[0] == files[1]
    assert counts[0] < 0.75 * counts[1]


def test_a_change_of_operator_argument_or_tensor_is_seen() -> None:
    module = torch.export.export(nn.Linear(4, 4), (torch.zeros(1, 4),)).graph_module
    before = retrace.snapshot(module)
    assert before == retrace.snapshot(module)
    assert before is not None
    node = next(node for node in module.graph.nodes if node.op == "call_function")
    held = dict(node.meta)
    node.meta["val"] = held["val"].clone()
    assert retrace.snapshot(module) != before
    node.meta["val"] = held["val"]
    assert retrace.snapshot(module) == before
    node.target = torch.ops.aten.relu.default
    assert retrace.snapshot(module) != before


def test_a_graph_with_a_branch_is_always_traced() -> None:
    class Branch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            chosen: Tensor = torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,))
            return chosen

    assert retrace.snapshot(torch.export.export(Branch(), (torch.zeros(2),)).graph_module) is None
