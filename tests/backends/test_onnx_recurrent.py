"""GRU and LSTM of an ONNX graph in onnxruntime's integer kernels: answers, placement, and layers that stay."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from edgekit.backends.onnx import Onnx
from edgekit.backends.onnx.placement import read
from edgekit.backends.onnx.recurrent import quantize_recurrent
from edgekit.errors import PassError
from edgekit.ir.measurement import Array
from edgekit.ir.signature import TensorSpec
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.specs.compression import Quantize
from tests.backends.boards import onnx_board
from tests.backends.executorch_examples import Samples, capture

STEPS, FEATURES, WIDTH = 7, 12, 16


def model(kind: str, direction: str, initial: bool = True) -> bytes:
    """Serialized layer on a sequence [7, 1, 12], with all of its answers."""
    rng, gates = np.random.default_rng(3), 3 if kind == "GRU" else 4
    ways = 2 if direction == "bidirectional" else 1
    shapes = {"W": (gates * WIDTH, FEATURES), "R": (gates * WIDTH, WIDTH), "B": (2 * gates * WIDTH,)}
    arrays = {name: rng.normal(size=(ways, *shape)) / 4 for name, shape in shapes.items()}
    states = ["h", "c"] if kind == "LSTM" else ["h"]
    arrays |= {name: rng.normal(size=(ways, 1, WIDTH)) for name in states}
    inputs = ["x", "W", "R", "B", *(["", *states] if initial else [])]
    outputs = ["cell/Y", *(f"cell/{name}" for name in states)]
    attributes = {"linear_before_reset": 1} if kind == "GRU" else {}
    node = helper.make_node(kind, inputs, outputs, direction=direction, hidden_size=WIDTH, **attributes)
    edge = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "layer", [edge("x", TensorProto.FLOAT, [STEPS, 1, FEATURES])],
        [edge(name, TensorProto.FLOAT, ([STEPS] if name == "cell/Y" else []) + [ways, 1, WIDTH]) for name in outputs],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(made.SerializeToString())


def quantized(data: bytes, kept: Sequence[str] = ()) -> bytes:
    layers = onnx.load_from_string(data)
    quantize_recurrent(layers, kept)
    return bytes(layers.SerializeToString())


def answers(data: bytes) -> list[Array]:
    x = np.random.default_rng(4).normal(size=(STEPS, 1, FEATURES)).astype(np.float32)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return [np.asarray(answer) for answer in session.run(None, {"x": x})]


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_a_recurrent_layer_answers_on_integers_as_in_float(tmp_path: Path, kind: str, direction: str) -> None:
    data = model(kind, direction)
    integers = quantized(data)
    stored = {tensor.name for tensor in onnx.load_from_string(integers).graph.initializer}
    assert not stored & {"W", "R"}, "the matrices in float are still there"
    for expected, answer in zip(answers(data), answers(integers), strict=True):
        assert expected.shape == answer.shape
        assert sqnr_db(expected, answer) > 30
    path = tmp_path / "model.onnx"
    path.write_bytes(integers)
    _, placement = read(path, (), "cpu")
    work = [operator for operator in placement.operators if operator.macs]
    ways = 2 if direction == "bidirectional" else 1
    gates = 3 if kind == "GRU" else 4
    assert sum(operator.macs for operator in work) == STEPS * ways * gates * WIDTH * (FEATURES + WIDTH)
    assert all(operator.integer for operator in work)


def test_layers_that_are_skipped_or_have_no_initial_state_stay_in_float() -> None:
    data = model("GRU", "forward")
    assert quantized(data, ["cell"]) == data
    data = model("LSTM", "forward", initial=False)
    assert quantized(data) == data
    assert onnx.load_from_string(data).graph.node[0].op_type == "LSTM"


class Tagger(nn.Module):
    """A recurrent layer and nothing else that has weights."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(FEATURES, WIDTH, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.cell(x)[0]
        return output


@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")  # torch's own cell, exported
@pytest.mark.lowers
def test_a_network_of_recurrent_layers_alone_is_quantized_as_it_is_lowered(tmp_path: Path) -> None:
    torch.manual_seed(0)
    program = capture(Tagger(), TensorSpec("x", "float32", (1, STEPS, FEATURES)))
    samples: Samples = [(torch.randn(1, STEPS, FEATURES),) for _ in range(4)]
    target, runtime = onnx_board("int8")

    def step(*kept: str) -> QuantizePass:
        return QuantizePass(Quantize(skip=kept), partial(Onnx().quantization, runtime=runtime), samples)

    artifact = Onnx().lower(step()(program, samples), target, runtime, tmp_path)
    assert artifact.integer_macs == pytest.approx(1)
    with pytest.raises(PassError, match="nothing was quantized"):
        step("cell")(program, samples)
