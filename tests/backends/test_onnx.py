"""The onnx backend on a small net with everything that it should fuse: what is in the file, and what runs of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from edgekit import plugins
from edgekit.backends.onnx import Onnx
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.artifact import Artifact
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.specs.compression import Activations, Quantize, Weights
from edgekit.specs.inputs import Input
from edgekit.specs.preprocess import Preprocess
from tests.backends.boards import onnx_board, onnx_session, pictures

PIXELS = Preprocess.model_validate({"from": "uint8 NHWC", "scale": 1 / 255, "mean": (0.5, 0.4, 0.3), "std": (0.2,)})
EDGES = Signature((TensorSpec("image", "uint8", (1, 16, 16, 3)),), (TensorSpec("output", "float32", (1, 5)),))
MACS = 16 * 16 * (16 * 27 + 16 * 9 + 16 * 16) + 16 * 5
"""Stem, depthwise and pointwise convolution on 16x16 pixels, and the linear layer."""
WEIGHTS = 16 * 27 + 16 * 9 + 16 * 16 + 16 * 5

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.lowers]


class Small(nn.Module):
    """Convolution, batch norm, ReLU; depthwise and pointwise; a residual addition; mean; linear."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.BatchNorm2d(16), nn.ReLU6())
        self.pointwise = nn.Conv2d(16, 16, 1)
        self.linear = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.relu(x + self.pointwise(self.depthwise(x)))
        output: Tensor = self.linear(x.mean((2, 3)))
        return output


@pytest.fixture(scope="module")
def images() -> list[tuple[Tensor]]:
    return pictures(16, 16)


@pytest.fixture(scope="module")
def program(images: list[tuple[Tensor]]) -> Program:
    torch.manual_seed(0)
    net = Deployed(Small(), {"image": Input(shape=(3, 16, 16), preprocess=PIXELS)}).eval()
    with torch.no_grad():
        return Program(torch.export.export(net, images[0]), EDGES)


Lower = Callable[..., Artifact]


@pytest.fixture(scope="module")
def lower(program: Program, images: list[tuple[Tensor]], tmp_path_factory: pytest.TempPathFactory) -> Lower:
    """Quantize by a recipe, if one is given, and lower for a CPU of some activation type; each combination once."""
    done: dict[tuple[object, ...], Artifact] = {}

    def make(
        recipe: Quantize | None = None,
        activations: Any = "int8",
        delegates: tuple[str, ...] = ("cpu",),
        arch: str = "aarch64",
    ) -> Artifact:
        key = (recipe, activations, delegates, arch)
        if key not in done:
            quantized = quantize(program, recipe, activations, images, delegates) if recipe else program
            place = onnx_board(activations, delegates, arch)
            done[key] = Onnx().lower(quantized, *place, tmp_path_factory.mktemp("onnx"))
        return done[key]

    return make


def quantize(
    program: Program,
    recipe: Quantize,
    activations: Any,
    images: list[tuple[Tensor]],
    delegates: tuple[str, ...] = ("cpu",),
) -> Program:
    quantization = partial(Onnx().quantization, runtime=onnx_board(activations, delegates)[1])
    return QuantizePass(recipe, quantization, images)(program, images[:2])


def run(artifact: Artifact, images: list[tuple[Tensor]]) -> np.ndarray:
    session = onnx_session(artifact)
    return np.concatenate([session.run(None, {"image": image.numpy()})[0] for (image,) in images])


def eager(program: Program, images: list[tuple[Tensor]]) -> np.ndarray:
    module = program.exported.module()
    with torch.no_grad():
        return np.concatenate([module(*image).numpy() for image in images])


def zero_points(artifact: Artifact) -> set[int]:
    """Of the activations: the third input of every QuantizeLinear."""
    graph = onnx.load(artifact.files[0]).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return {int(values[node.input[2]]) for node in graph.node if node.op_type == "QuantizeLinear"}


INT8 = Quantize()
JETSON = ("tensorrt", "cuda", "cpu")
SYMMETRIC = Quantize(activations=Activations(symmetric=True))


def test_it_registers_as_a_backend() -> None:
    assert plugins.load("backends", "onnx") is Onnx


def test_a_float_program_computes_what_torch_computes(
    lower: Lower, program: Program, images: list[tuple[Tensor]]
) -> None:
    assert np.abs(run(lower(), images) - eager(program, images)).max() < 1e-4


def test_a_float_artifact_holds_and_runs_no_integers(lower: Lower) -> None:
    artifact = lower()
    assert (artifact.integer, artifact.integer_macs, artifact.options) == (0.0, 0.0, ())


@pytest.mark.parametrize("recipe", [None, INT8, SYMMETRIC])
def test_multiply_accumulates_are_counted_exactly(lower: Lower, recipe: Quantize | None) -> None:
    assert lower(recipe).macs == MACS


@pytest.mark.parametrize("activations", ["int8", "uint8"])
def test_every_multiplication_of_a_quantized_program_is_an_integer_one(lower: Lower, activations: str) -> None:
    artifact = lower(INT8, activations)
    assert artifact.integer_macs == 1.0
    names = [operator.name for operator in artifact.placement.operators]
    assert names[names.index("QuantizeLinear") :] == [
        "QuantizeLinear",
        *["QLinearConv"] * 3,
        "QLinearAdd",
        "DequantizeLinear",
        "ReduceMean",
        "QuantizeLinear",
        "QGemm",
    ]


@pytest.mark.parametrize("activations", ["int8", "uint8"])
def test_a_quantized_program_stays_close_to_the_float_one(
    lower: Lower, program: Program, images: list[tuple[Tensor]], activations: str
) -> None:
    expected, got = eager(program, images), run(lower(INT8, activations), images)
    assert np.abs(got - expected).max() < 0.05 * np.ptp(expected)


def test_weights_are_stored_as_integers(lower: Lower) -> None:
    artifact = lower(INT8)
    tensors = {tensor.name: tensor for tensor in onnx.load(artifact.files[0]).graph.initializer}
    stored = [tensor for name, tensor in tensors.items() if name.endswith(".weight")]
    assert artifact.integer == 1.0
    assert {tensor.data_type for tensor in stored} == {onnx.TensorProto.INT8}
    assert sum(numpy_helper.to_array(tensor).size for tensor in stored) == WEIGHTS


def test_weights_have_a_scale_a_channel_or_one_for_all_as_the_recipe_says(lower: Lower) -> None:
    def scales(granularity: Any) -> tuple[int, ...]:
        artifact = lower(Quantize(weights=Weights(granularity=granularity)))
        tensors = {tensor.name: tensor for tensor in onnx.load(artifact.files[0]).graph.initializer}
        return tuple(tensors["stem.0.weight.scale"].dims)

    assert scales("per-channel") == (16,)
    assert scales("per-tensor") == ()


def test_onnxruntime_is_told_to_take_int8_activations_as_on_arm_only_for_arm(lower: Lower) -> None:
    assert lower(INT8, "int8").options == (("session.qdqisint8allowed", "1"),)
    assert lower(INT8, "uint8").options == ()
    assert lower(INT8, "int8", arch="x86_64").options == ()


def test_symmetric_activations_have_zero_point_0(lower: Lower) -> None:
    assert zero_points(lower(SYMMETRIC)) == {0}
    assert zero_points(lower(INT8)) != {0}


def test_the_observer_decides_the_scales(lower: Lower, images: list[tuple[Tensor]]) -> None:
    histogram = Quantize(activations=Activations(observer="histogram"))
    assert not np.array_equal(run(lower(INT8), images), run(lower(histogram), images))


def test_a_skipped_module_stays_float(lower: Lower) -> None:
    artifact = lower(Quantize(skip=("pointwise",)))
    tensors = {tensor.name: tensor for tensor in onnx.load(artifact.files[0]).graph.initializer}
    assert tensors["pointwise.weight"].data_type == onnx.TensorProto.FLOAT
    assert artifact.integer == pytest.approx(1 - 16 * 16 / WEIGHTS)
    assert artifact.integer_macs == pytest.approx(1 - 16 * 16 * 16 * 16 / MACS)


def test_the_file_takes_and_gives_what_the_program_does(lower: Lower) -> None:
    assert lower().signature == EDGES
    assert lower(INT8).signature == EDGES


def test_values_are_named_after_the_modules(lower: Lower) -> None:
    graph = onnx.load(lower(INT8).files[0]).graph
    assert {tensor.name for tensor in graph.initializer} >= {"stem.0.weight", "stem.0.weight.scale", "linear.bias"}
    assert {name for node in graph.node for name in node.output} >= {"stem.0/Conv", "stem.2/Relu.q", "output"}


def test_operators_are_delegated_if_the_target_lists_the_cpu(lower: Lower) -> None:
    assert lower(INT8).placement.delegated == 1.0
    assert lower(INT8, delegates=("cuda", "cpu")).placement.delegated == 1.0
    assert lower(INT8, delegates=("cuda",)).placement.fallback == 1.0


def test_nothing_in_the_file_tells_of_the_build_machine(lower: Lower) -> None:
    for artifact in (lower(), lower(INT8)):
        data = artifact.files[0].read_bytes()
        model = onnx.load_from_string(data)
        assert not [word for word in (b".py", b"/home", b"/root", b"/usr", b"site-packages", b"torch") if word in data]
        assert not model.producer_name
        assert not model.graph.value_info
        assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_tensorrt_can_fuse_what_symmetric_quantization_leaves(lower: Lower) -> None:
    """Its rules for explicit quantization: int8 with zero point 0, a scale a channel, no Q/DQ before a ReLU."""
    graph = onnx.load(lower(SYMMETRIC, "int8", JETSON).files[0]).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    quantized = [node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert {values[node.input[2]].dtype.name for node in quantized} == {"int8"}
    assert not any(values[node.input[2]].any() for node in quantized)
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert [values[producers[node.input[1]].input[1]].shape for node in convolutions] == [(16,)] * 3
    clamps = [node for node in graph.node if node.op_type in ("Relu", "Clip")]
    assert [producers[node.input[0]].op_type for node in clamps] == ["Conv", "Conv", "Add"]
