"""What LiteRT cannot take is said by name, and what the converter makes of edges that are not images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from litert_torch._convert.fx_passes.optimize_layout_transposes_pass import layout_check
from torch import Tensor, nn

from edgekit.backends.tflite import TFLite, convert, interpreter
from edgekit.errors import LoweringError, UnsupportedOperator
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.specs.target import RuntimeSpec
from tests.backends.boards import board

pytestmark = pytest.mark.lowers

quantized = torch.ops.quantized_decomposed
XNNPACK = RuntimeSpec(backend="tflite", delegates=("xnnpack",))


class Head(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Wrapped(nn.Module):
    """As the frontend wraps a network: it is the child `model`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> object:
        return self.model(*inputs)


def program(function: Callable[[Tensor], Tensor]) -> Program:
    net = Wrapped(nn.Sequential(nn.Linear(4, 4), Head(function)))
    edges = Signature((TensorSpec("x", "float32", (1, 4)),), (TensorSpec("y", "float32", (1, 4)),))
    return Program(torch.export.export(net, (torch.zeros(1, 4),)), edges)


def test_an_operator_that_the_converter_lacks_is_named_with_its_module_and_line() -> None:
    with pytest.raises(
        UnsupportedOperator, match=r"'aten\.erfinv\.default' in module '1' at test_tflite_refusals\.py:\d"
    ):
        convert.flatbuffer(program(torch.erfinv))


def test_an_operator_that_the_interpreter_lacks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(convert.flatbuffer(program(lambda x: torch.sort(x)[0])))
    with pytest.raises(UnsupportedOperator, match="no kernel for 'STABLEHLO_SORT'"):
        interpreter.artifact(path, XNNPACK)


def test_other_refusals_keep_their_cause() -> None:
    with pytest.raises(LoweringError, match="LiteRT's converter failed") as caught:
        convert.flatbuffer(program(lambda x: torch.linalg.inv(x.reshape(1, 2, 2) + torch.eye(2)).reshape(1, 4)))
    assert not isinstance(caught.value, UnsupportedOperator)
    assert caught.value.__cause__ is not None


def _rounded(x: Tensor) -> Tensor:
    """Float values through int8, as the quantizer writes them."""
    scale = (0.05, 0, -128, 127, torch.int8)
    rounded: Tensor = quantized.dequantize_per_tensor(quantized.quantize_per_tensor(x, *scale), *scale)
    return rounded


class _Residual(nn.Module):
    """Rounded picture that a norm over all of it and a sum in float read."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.inner = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = _rounded(self.enter(x))
        normed = nn.functional.layer_norm(y.reshape(1, -1), [256]).reshape(y.shape)
        return y + _rounded(self.inner(normed))


def test_a_rounded_picture_is_read_in_both_layouts() -> None:
    spec, picture = TensorSpec("x", "float32", (1, 4, 8, 8)), torch.zeros(1, 4, 8, 8)
    edges = Signature((spec,), (TensorSpec("y", "float32", (1, 4, 8, 8)),))
    assert len(convert.flatbuffer(Program(torch.export.export(Wrapped(_Residual()), (picture,)), edges)))


def test_what_the_converter_refuses_at_an_operator_names_it_and_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(node: torch.fx.Node) -> bool:
        raise AssertionError("Attempting to convert non-NHWC compatible node to NHWC")

    monkeypatch.setattr(layout_check, "can_be_nhwc", failing)
    with pytest.raises(LoweringError, match=r"failed at 'aten\..* in module '0' at test_tflite.*: .*NHWC") as caught:
        convert.flatbuffer(program(torch.tanh))
    assert caught.value.hint == convert.REWRITE


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"no model at all")
    with pytest.raises(LoweringError, match="cannot load"):
        interpreter.artifact(path, XNNPACK)


class Tokens(nn.Module):
    """Integers in, two results out, in an order that is not the alphabet's."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)

    def forward(self, words: Tensor, mask: Tensor) -> dict[str, Tensor]:
        x = self.table(words) * mask
        return {"total": x.sum((1, 2)), "best": x.argmax(2)}


def test_edges_keep_their_order_names_and_64_bits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Wrapped(Tokens())
    inputs = (torch.tensor([[3, 1, 4]]), torch.ones(1, 3, 1))
    edges = Signature(
        (TensorSpec("words", "int64", (1, 3)), TensorSpec("mask", "float32", (1, 3, 1))),
        (TensorSpec("total", "float32", (1,)), TensorSpec("best", "int64", (1, 3))),
    )
    subject = Program(torch.export.export(net, inputs), edges)
    artifact = TFLite().lower(subject, board(XNNPACK), XNNPACK, tmp_path)
    assert artifact.signature == edges
    interpreter = Interpreter(str(artifact.files[0]))
    given = interpreter.get_signature_runner()(words=inputs[0].numpy(), mask=inputs[1].numpy())
    wanted = net(*inputs)
    np.testing.assert_allclose(given["total"], wanted["total"].detach().numpy(), atol=1e-5)
    np.testing.assert_array_equal(given["best"], wanted["best"].numpy())
