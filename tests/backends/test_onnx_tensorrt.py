"""What the onnx backend claims of TensorRT, by TensorRT's rules for graphs with Q and DQ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from edgekit.backends.onnx import Onnx
from edgekit.backends.onnx.tensorrt import placement
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.artifact import Artifact, Operator, Placement
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.specs.catalog import Catalog
from edgekit.specs.compression import Activations, Quantize
from edgekit.specs.inputs import Input
from edgekit.specs.preprocess import Preprocess
from tests.backends.boards import pictures

TARGET = Catalog.default().target("jetson-orin-nano")
RUNTIME = TARGET.runtime[0]
RECIPE = Catalog.default().profile("jetson-int8").quantize or Quantize()
PIXELS = Preprocess.model_validate({"from": "uint8 NHWC", "scale": 1 / 255, "mean": (0.5,), "std": (0.2,)})
CLAIM = "by TensorRT's Q/DQ rules: built, not run on TensorRT"

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.lowers]


class Block(nn.Module):
    """A stem, a residual block, and a linear layer on each row and on the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.pool = nn.MaxPool2d(2)
        self.rows = nn.Linear(4, 4)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.pool(torch.relu(x + self.body(x)))
        output: Tensor = self.head(self.rows(x).mean((2, 3)))
        return output


@pytest.fixture(scope="module")
def images() -> list[tuple[Tensor]]:
    return pictures(4, 8)


@pytest.fixture(scope="module")
def program(images: list[tuple[Tensor]]) -> Program:
    torch.manual_seed(0)
    net = Deployed(Block(), {"image": Input(shape=(3, 8, 8), preprocess=PIXELS)}).eval()
    edges = Signature((TensorSpec("image", "uint8", (1, 8, 8, 3)),), (TensorSpec("output", "float32", (1, 5)),))
    with torch.no_grad():
        return Program(torch.export.export(net, images[0]), edges)


def lower(program: Program, images: list[tuple[Tensor]], recipe: Quantize | None, out: Path) -> Artifact:
    if recipe:
        program = QuantizePass(recipe, lambda asked: Onnx().quantization(asked, RUNTIME), images)(program, images[:1])
    return Onnx().lower(program, TARGET, RUNTIME, out)


@pytest.fixture(scope="module")
def artifact(program: Program, images: list[tuple[Tensor]], tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The block as the profile of Jetson has it."""
    return lower(program, images, RECIPE, tmp_path_factory.mktemp("jetson"))


def test_every_multiplication_is_claimed_to_be_an_integer_one_and_the_claim_says_so(artifact: Artifact) -> None:
    assert artifact.integer_macs == 1.0
    assert artifact.basis == CLAIM


def test_what_is_fused_into_an_integer_kernel_counts_as_integer(artifact: Artifact) -> None:
    found = [(operator.name, operator.integer) for operator in artifact.placement.operators]
    body = found[next(index for index, (name, _) in enumerate(found) if name == "Conv") :]
    assert body[:6] == [(name, True) for name in ("Conv", "Relu", "Conv", "Add", "Relu", "MaxPool")]
    assert body[-1] == ("Gemm", True)


def test_a_convolution_s_sum_reaches_the_addition_behind_it_unrounded(artifact: Artifact) -> None:
    """TensorRT's rule for skip-connections: Conv and Add fuse if only the residual is quantized."""
    graph = onnx.load(artifact.files[0]).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    (addition,) = (node for node in graph.node if node.output[0] == "Add")
    assert sorted(makers[name] for name in addition.input) == ["Conv", "DequantizeLinear"]
    (added,) = (
        operator for operator in artifact.placement.operators if operator.elements == 512 and operator.name == "Add"
    )
    assert added.integer


def test_pixels_are_cast_before_tensorrt_must_move_bytes(artifact: Artifact) -> None:
    assert [operator.name for operator in artifact.placement.operators[:2]] == ["Cast", "Transpose"]
    assert {operator.delegate for operator in artifact.placement.operators} == {"tensorrt"}


def test_onnxruntime_leaves_biases_in_float_before_it_hands_the_graph_to_tensorrt(
    artifact: Artifact, tmp_path: Path
) -> None:
    def stored(options: tuple[tuple[str, str], ...]) -> set[int]:
        settings = onnxruntime.SessionOptions()
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        settings.optimized_model_filepath = str(tmp_path / "basic.onnx")
        settings.log_severity_level = 3
        for key, value in options:
            settings.add_session_config_entry(key, value)
        onnxruntime.InferenceSession(artifact.files[0], settings, providers=["CPUExecutionProvider"])
        graph = onnx.load(tmp_path / "basic.onnx").graph
        types = {tensor.name: tensor.data_type for tensor in graph.initializer}
        return {
            types[node.input[0]] for node in graph.node if node.op_type == "DequantizeLinear" if node.input[0] in types
        }

    assert stored(artifact.options) == {TensorProto.INT8}
    assert TensorProto.INT32 in stored(())


def test_asymmetric_activations_leave_the_arithmetic_in_float(
    program: Program, images: list[tuple[Tensor]], tmp_path: Path
) -> None:
    asymmetric = lower(program, images, Quantize(activations=Activations(symmetric=False)), tmp_path)
    assert asymmetric.integer_macs == 0.0
    fallen = {operator.name for operator in asymmetric.placement.operators if operator.delegate is None}
    assert {"QuantizeLinear", "DequantizeLinear"} <= fallen


def test_a_float_program_is_delegated_and_has_no_integers(
    program: Program, images: list[tuple[Tensor]], tmp_path: Path
) -> None:
    floating = lower(program, images, None, tmp_path)
    assert floating.integer_macs == 0.0
    assert {operator.delegate for operator in floating.placement.operators[1:]} == {"tensorrt"}
    assert floating.basis == CLAIM


class Builder:
    """A graph, node by node; every method gives the name of what it adds."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, values: Any, dtype: str) -> str:
        name = f"constant-{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}-{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def pair(self, source: str, dtype: str = "int8", zero: int = 0) -> str:
        """Q and DQ of one scale."""
        affine = (self.constant(0.5, "float32"), self.constant(zero, dtype))
        return self.node("DequantizeLinear", self.node("QuantizeLinear", source, *affine), *affine)

    def weight(self, shape: tuple[int, ...], axis: int | None, dtype: str = "int8", zero: int = 0) -> str:
        """DQ of a constant, of one scale or of one for each index along `axis`."""
        count = () if axis is None else (shape[axis],)
        stored = self.constant(np.ones(shape), dtype)
        affine = (self.constant(np.full(count, 0.5), "float32"), self.constant(np.full(count, zero), dtype))
        return self.node("DequantizeLinear", stored, *affine, **({} if axis is None else {"axis": axis}))

    def placement(self, output: str, shape: tuple[int, ...] = (1, 4, 4, 4)) -> Placement:
        edges = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], [onnx.ValueInfoProto(name=output)]
        graph = helper.make_graph(self.nodes, "graph", *edges, self.constants)
        return placement(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8))


MOVED = 4 * (64 + 16 + 4 + 64)
"""Bytes of the convolution below: input, weights, bias and output as they reach it, in float."""


def products(found: Placement) -> list[Operator]:
    return [operator for operator in found.operators if operator.macs]


def convolution(source: tuple[Any, ...] = (), weight: tuple[Any, ...] = (0,), bias: str = "float32") -> Operator:
    """The one convolution of a graph; what differs from TensorRT's rules is given."""
    build = Builder()
    offset = build.constant(np.ones(4), bias)
    if bias == "int32":
        offset = build.node("DequantizeLinear", offset, build.constant(0.25, "float32"))
    result = build.node("Conv", build.pair("x", *source), build.weight((4, 4, 1, 1), *weight), offset)
    return products(build.placement(result))[0]


@pytest.mark.parametrize("weight", [(0,), (None,)])
def test_a_convolution_of_int8_with_zero_point_0_is_an_integer_one(weight: tuple[Any, ...]) -> None:
    assert convolution(weight=weight) == Operator("Conv", "tensorrt", 256, 64, True, MOVED)


@pytest.mark.parametrize(
    "broken",
    [
        {"source": ("uint8",)},
        {"source": ("uint8", 128)},
        {"source": ("int8", 3)},
        {"weight": (0, "uint8", 0)},
        {"weight": (0, "int8", 3)},
        {"weight": (1,)},
        {"bias": "int32"},
    ],
)
def test_a_convolution_that_breaks_a_rule_is_not(broken: dict[str, Any]) -> None:
    assert convolution(**broken) == Operator("Conv", "tensorrt", 256, 64, False, MOVED)


def test_a_convolution_of_a_float_activation_is_not() -> None:
    build = Builder()
    result = build.node("Conv", "x", build.weight((4, 4, 1, 1), 0))
    assert not products(build.placement(result))[0].integer


def test_scales_of_a_weight_run_along_its_output_channels() -> None:
    def integer(kind: str, axis: int, source: tuple[int, ...], weight: tuple[int, ...], **attributes: int) -> bool:
        build = Builder()
        result = build.node(kind, build.pair("x"), build.weight(weight, axis), **attributes)
        return products(build.placement(result, source))[0].integer

    assert [integer("ConvTranspose", axis, (1, 4, 4, 4), (4, 4, 1, 1)) for axis in (0, 1)] == [False, True]
    assert [integer("Gemm", axis, (1, 4), (4, 4)) for axis in (0, 1)] == [False, True]
    assert [integer("Gemm", axis, (1, 4), (4, 4), transB=1) for axis in (0, 1)] == [True, False]
    assert [integer("MatMul", axis, (1, 2, 4), (4, 4)) for axis in (0, 1)] == [False, True]


def test_scales_stay_with_their_channels_when_a_weight_is_transposed() -> None:
    build = Builder()
    weight = build.node("Transpose", build.weight((3, 4), 0), perm=[1, 0])
    assert products(build.placement(build.node("MatMul", build.pair("x"), weight), (1, 2, 4)))[0].integer


def test_quantizing_between_a_convolution_and_its_relu_forfeits_the_claim() -> None:
    def integer(cut: bool) -> bool:
        build = Builder()
        result = build.node("Conv", build.pair("x"), build.weight((4, 4, 1, 1), 0))
        result = build.node("Relu", build.pair(result) if cut else result)
        return products(build.placement(build.pair(result)))[0].integer

    assert integer(cut=False)
    assert not integer(cut=True)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("residual", "closed"), [(True, True), (False, True), (True, False)])
def test_an_addition_is_an_integer_one_between_quantized_inputs_and_output(
    fused: bool, residual: bool, closed: bool
) -> None:
    build = Builder()
    branch = build.node("Conv", build.pair("x"), build.weight((4, 4, 1, 1), 0))
    shortcut = build.pair("x") if residual else build.node("Sigmoid", "x")
    result = build.node("Relu", build.node("Add", branch if fused else build.pair(branch), shortcut))
    found = {
        operator.name: operator for operator in build.placement(build.pair(result) if closed else result).operators
    }
    assert found["Conv"].integer
    assert found["Add"].integer == found["Relu"].integer == (residual and closed)


def test_an_operator_that_tensorrt_does_not_import_falls_back() -> None:
    build = Builder()
    found = build.placement(build.node("Relu", build.node("Det", "x")))
    assert [(operator.name, operator.delegate) for operator in found.operators] == [("Det", None), ("Relu", "tensorrt")]
    assert found.fallback == pytest.approx(272 / (272 + 32))


def test_pooling_in_one_dimension_falls_back() -> None:
    build = Builder()
    assert build.placement(build.node("MaxPool", "x", kernel_shape=[2]), (1, 4, 4)).fallback == 1.0
