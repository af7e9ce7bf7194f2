"""LiteRT's converter writes a large program's file without its constants: the same bytes as with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor, nn

from edgekit.backends.tflite import constant_references, convert, converter_options
from edgekit.backends.tflite.appended_buffers import inline, mapped, write_appended
from edgekit.backends.tflite.constant_references import ConstantReferences, finite
from edgekit.backends.tflite.constant_references import writer as original
from edgekit.frontend import allocator
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.specs.compression import Quantize

pytestmark = pytest.mark.lowers

INT8 = Quantize.model_validate({"mode": "weight-only", "weights": {"dtype": "int8", "granularity": "per-channel"}})
LEAST = 1024


class Mixed(nn.Module):
    """Convolution, whose weight the converter transposes; a linear layer; the table of a lookup, which is tied."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.linear = nn.Conv2d(3, 16, 3), nn.Linear(16, 32)
        self.table = nn.Embedding(64, 32)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.linear(self.convolution(x).relu().mean((2, 3)))
        answer: Tensor = (hidden @ self.table.weight.T).softmax(-1) @ self.table.weight + self.table(torch.tensor([3]))
        return answer


@pytest.fixture(scope="module")
def program() -> Program:
    torch.manual_seed(0)
    edges = Signature((TensorSpec("x", "float32", (1, 3, 8, 8)),), (TensorSpec("y", "float32", (1, 32)),))
    return Program(torch.export.export(Mixed().eval(), (torch.zeros(1, 3, 8, 8),)), edges)


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "LARGE_BYTES", 1)
    monkeypatch.setattr(constant_references, "LEAST_BYTES", LEAST)
    monkeypatch.setitem(converter_options.ENVIRONMENT, "RESOURCE_CONSTANT_NUMEL_THRESHOLD", str(LEAST))


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("recipe", [None, INT8], ids=["float32", "weight-int8"])
def test_the_file_is_the_one_that_the_converter_writes_with_all_values(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Quantize | None
) -> None:
    files: list[bytes] = []
    taken: list[ConstantReferences] = []

    def writer(write: Callable[[Any], bytes], references: ConstantReferences) -> Callable[[Any], bytes]:
        taken.append(references)
        return original(lambda module: files.append(write(module)) or files[-1], references)  # type: ignore[func-returns-value]

    monkeypatch.setattr(converter_options, "writer", writer)
    content = bytes(convert.flatbuffer(program, recipe, tmp_path))
    weights = {tuple(value.shape): value.detach().numpy() for value in program.exported.state_dict.values()}
    constants = [constant.tobytes() for constant in taken[0].constants]
    for values in (weights[64, 32], weights[32, 16], weights[16, 3, 3, 3]):
        assert values.tobytes() in constants
        assert not any(values.tobytes() in file for file in files)
    assert weights[16, 3, 3, 3].transpose(0, 2, 3, 1).tobytes() in constants  # folded, for LiteRT's layout
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(converter_options, "_by_reference", lambda references: contextlib.nullcontext())
    assert content == bytes(convert.flatbuffer(program, recipe, tmp_path))
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    run = Interpreter(model_path=str(path))
    run.allocate_tensors()
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8), np.float32)
    run.set_tensor(run.get_input_details()[0]["index"], x)
    run.invoke()
    expected = program.exported.module()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(run.get_tensor(run.get_output_details()[0]["index"]), expected, atol=0.02)


def test_infinities_are_bounded_and_no_weight_is_written() -> None:
    weight = torch.tensor([1.0, float("inf"), float("-inf")])
    largest = torch.finfo(torch.float32).max
    assert finite(weight).tolist() == [1.0, largest, -largest]
    assert weight.tolist() == [1.0, float("inf"), float("-inf")]
    usual = torch.ones(3)
    assert finite(usual) is usual
    integers = torch.ones(3, dtype=torch.int32)
    assert finite(integers) is integers


@pytest.mark.usefixtures("small_is_large")
def test_buffers_behind_the_flatbuffer_are_read_as_if_they_were_in_it(program: Program, tmp_path: Path) -> None:
    content = convert.flatbuffer(program)
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    before = [None if buffer.data is None else bytes(buffer.data) for buffer in model.buffers]
    path = tmp_path / "appended.tflite"
    write_appended(model, path)
    read = schema.ModelT.InitFromPackedBuf(mapped(path), 0)
    assert sum(buffer.offset > 0 for buffer in read.buffers) == sum(len(data or b"") >= LEAST for data in before)
    inline(read, mapped(path))
    for each in (model, read):
        assert [None if buffer.data is None else bytes(buffer.data) for buffer in each.buffers] == before
