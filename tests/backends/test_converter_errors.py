"""Errors of converters and runtimes: they keep the line that names the operator, and say where the model calls it."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from onnx import helper
from torch import Tensor, nn

from edgekit import plugins
from edgekit.backends.onnx.export import _refusal
from edgekit.backends.onnx.placement import read
from edgekit.errors import LoweringError, UnsupportedOperator
from tests.backends.architectures import captured
from tests.backends.boards import board
from tests.backends.test_facts import RUNTIMES

pytestmark = pytest.mark.lowers


class Head(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Net(nn.Module):
    """A convolution that every converter takes, and a head that it may not."""

    def __init__(self, head: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 4, 3, padding=1), Head(head)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(torch.relu(self.stem(x)))
        return output


def eight_axes(x: Tensor) -> Tensor:
    parts = x.reshape(1, 2, 2, 2, 2, 2, 2, 4)
    return (parts + parts.flip(1)).flatten(1)


def dilated(x: Tensor) -> Tensor:
    return torch.nn.functional.conv_transpose2d(x, torch.ones(4, 4, 3, 3), stride=2, dilation=2)


def short(x: Tensor) -> Tensor:
    return x.to(torch.int16).cumsum(-1, dtype=torch.int16).float()


def bits(x: Tensor) -> Tensor:
    return torch.bitwise_and(x.to(torch.int32), 3).float()


def ordered(x: Tensor) -> Tensor:
    return x.sort(-1).values


def refused(backend: str, head: Callable[[Tensor], Tensor], out: Path) -> LoweringError:
    made, runtime = plugins.load("backends", backend)(), RUNTIMES[backend]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in made.preload:
            importlib.import_module(module)
        torch.manual_seed(0)
        program = captured(Net(head), torch.randn(1, 3, 8, 8))
        with pytest.raises(LoweringError) as caught:
            made.lower(program, board(runtime), runtime, out)
    assert caught.value.hint
    return caught.value


HERE = r"in module 'head',? at test_converter_errors\.py:\d+"


@pytest.mark.parametrize(
    ("backend", "head", "words"),
    [
        (
            "executorch",
            eight_axes,
            r"Failed to define tensor \d+ with code: xnn_status_unsupported_parameter: .*'aten\.\w+' ",
        ),
        ("executorch", ordered, r"no kernel for 'aten::sort.values' "),
        ("tflite", dilated, r"failed to legalize operation 'mhlo.convolution' of 'aten.conv_transpose2d.input' "),
        ("tflite", short, r"failed to legalize operation 'tfl.cumsum' of 'aten.cumsum.default' "),
        ("tflite", bits, r"LiteRT has no 'BitwiseAnd' "),
    ],
)
def test_the_operator_and_its_place_are_named(
    tmp_path: Path, backend: str, head: Callable[[Tensor], Tensor], words: str
) -> None:
    assert re.search(words + HERE, str(refused(backend, head, tmp_path)))


def test_a_kernel_that_onnxruntime_lacks_is_named_with_its_modules(tmp_path: Path) -> None:
    double = onnx.TensorProto.DOUBLE
    weight = helper.make_tensor("w", double, (1, 1, 1, 1), [1.0])
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["head.0/Conv"]), helper.make_node("Relu", ["head.0/Conv"], ["y"])],
        "g",
        [value("x", double, [1, 1, 2, 2])],
        [value("y", double, [1, 1, 2, 2])],
        [weight],
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    )
    with pytest.raises(UnsupportedOperator, match=r"no kernel for 'Conv' \(\d+\) in module 'head.0'"):
        read(path, (), "cpu")


def test_a_node_that_the_onnx_exporter_fails_at_has_a_place() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = captured(Net(ordered), torch.randn(1, 3, 8, 8))
    (node,) = (node.name for node in program.exported.graph.nodes if "sort" in str(node.target))
    error = RuntimeError("Failed to convert the exported program")
    error.__cause__ = ValueError(f"Error when translating node %{node} : [num_users=1] = call_function[target=x]")
    error.__cause__.__cause__ = TypeError("no such type")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        message = str(_refusal(error, program.exported))
    assert message.startswith(f"the ONNX exporter failed at node '{node}' in module 'head' (test_converter_errors.py")
    assert message.endswith("TypeError: no such type")
