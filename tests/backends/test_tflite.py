"""The tflite backend on a small net with everything that it should fuse: what is in the file, and what runs of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor, nn

import edgekit
from edgekit import plugins
from edgekit.backends.tflite import TFLite
from edgekit.backends.tflite.interpreter import specs
from edgekit.errors import Misfit
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.artifact import Artifact
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.signature import Affine, Signature, TensorSpec
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.specs.compression import Activations, Quantize, Weights
from edgekit.specs.inputs import Input
from edgekit.specs.preprocess import Preprocess
from edgekit.specs.target import RuntimeSpec
from tests import machine_identity as machine
from tests.backends.boards import board, pictures

pytestmark = pytest.mark.lowers

PIXELS = Preprocess.model_validate({"from": "uint8 NHWC", "scale": 1 / 255, "mean": (0.5, 0.4, 0.3), "std": (0.2,)})
EDGES = Signature((TensorSpec("image", "uint8", (1, 16, 16, 3)),), (TensorSpec("logits", "float32", (1, 5)),))
MACS = 16 * 16 * (16 * 27 + 16 * 9 + 16 * 16) + 16 * 5
"""Stem, depthwise and pointwise convolution on 16x16 pixels, and the linear layer."""
XNNPACK = RuntimeSpec(backend="tflite", delegates=("xnnpack",))
BARE = RuntimeSpec(backend="tflite", delegates=("none",))


class Small(nn.Module):
    """Convolution, batch norm, hard-swish; depthwise and pointwise; a padded residual addition; mean; linear."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.BatchNorm2d(16), nn.ReLU6())
        self.pointwise = nn.Conv2d(16, 16, 1)
        self.linear = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        narrow = nn.functional.pad(x[:, :12], (0, 0, 0, 0, 2, 2))
        x = torch.relu(narrow + self.pointwise(self.depthwise(x)))
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


def quantized(program: Program, recipe: Quantize, images: list[tuple[Tensor]]) -> Program:
    quantization = partial(TFLite().quantization, runtime=XNNPACK)
    return QuantizePass(recipe, quantization, images)(program, images[:2])


Lower = Callable[..., Artifact]


@pytest.fixture(scope="module")
def lower(program: Program, images: list[tuple[Tensor]], tmp_path_factory: pytest.TempPathFactory) -> Lower:
    """Quantize by a recipe, if one is given, and lower; each combination once."""
    done: dict[tuple[object, ...], Artifact] = {}

    def make(recipe: Quantize | None = None, runtime: RuntimeSpec = XNNPACK) -> Artifact:
        if (recipe, runtime) not in done:
            subject = quantized(program, recipe, images) if recipe else program
            out = tmp_path_factory.mktemp("out")
            done[recipe, runtime] = TFLite().lower(subject, board(runtime), runtime, out)
        return done[recipe, runtime]

    return make


def run(artifact: Artifact, images: list[tuple[Tensor]]) -> Array:
    """float32 [N, 5]."""
    interpreter = Interpreter(str(artifact.files[0]))
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner()
    return np.concatenate([runner(image=image.numpy())["logits"] for (image,) in images])


def expected(program: Program, images: list[tuple[Tensor]]) -> Array:
    module = program.exported.module()
    with torch.no_grad():
        return np.concatenate([module(*image).numpy() for image in images])


def names(artifact: Artifact) -> list[str]:
    return [operator.name for operator in artifact.placement.operators]


def test_the_backend_registers_as_tflite() -> None:
    assert plugins.load("backends", "tflite") is TFLite


def test_a_float_file_computes_what_torch_computes(lower: Lower, program: Program, images: list[tuple[Tensor]]) -> None:
    artifact = lower()
    np.testing.assert_allclose(run(artifact, images), expected(program, images), atol=1e-4)
    assert artifact.macs == MACS
    assert artifact.integer == 0
    assert artifact.integer_macs == 0


def test_the_file_takes_and_gives_what_the_project_names(lower: Lower) -> None:
    assert lower().signature == EDGES
    assert lower(Quantize()).signature == EDGES


def test_an_int8_file_computes_what_the_float_program_computes_but_for_noise(
    lower: Lower, program: Program, images: list[tuple[Tensor]]
) -> None:
    assert sqnr_db(expected(program, images), run(lower(Quantize()), images)) > 20


def test_edges_of_integers_carry_scale_and_zero_point() -> None:
    edge = {"name": "x", "dtype": np.int8, "shape": np.array([1, 4]), "quantization": (0.5, -3)}
    assert specs([edge]) == (TensorSpec("x", "int8", (1, 4), Affine(0.5, -3)),)
    assert specs([edge | {"dtype": np.float32, "quantization": (0.0, 0)}]) == (TensorSpec("x", "float32", (1, 4)),)


def test_every_multiplication_of_an_int8_file_is_done_on_integers(lower: Lower) -> None:
    artifact = lower(Quantize())
    assert artifact.integer == 1
    assert artifact.integer_macs == 1
    assert artifact.macs == MACS
    floats = [operator.name for operator in artifact.placement.operators if not operator.integer]
    assert floats == ["CAST", "MUL", "ADD", "QUANTIZE", "DEQUANTIZE"]  # the preprocessing, and the logits


def test_xnnpack_takes_all_but_the_cast_of_the_pixels(lower: Lower) -> None:
    for artifact in (lower(), lower(Quantize())):
        fallen = [operator.name for operator in artifact.placement.operators if operator.delegate is None]
        assert fallen == ["CAST"]
        assert artifact.placement.delegated > 0.99


def test_a_target_without_xnnpack_falls_back_on_everything(lower: Lower) -> None:
    assert lower(None, BARE).placement.fallback == 1


def test_channels_first_leaves_no_transposes(lower: Lower) -> None:
    assert "TRANSPOSE" not in names(lower())
    assert "TRANSPOSE" not in names(lower(Quantize()))


def test_int8_weights_are_a_quarter_of_float_ones(lower: Lower) -> None:
    def weight_bytes(artifact: Artifact) -> int:
        model = schema.ModelT.InitFromPackedBuf(artifact.files[0].read_bytes(), 0)
        buffers = [model.buffers[tensor.buffer].data for tensor in model.subgraphs[0].tensors]
        return sum(len(data) for data in buffers if data is not None and len(data) >= 16 * 9)

    assert weight_bytes(lower(Quantize())) < 0.35 * weight_bytes(lower())


@pytest.mark.parametrize(
    ("skip", "macs"), [(("stem.*",), 16 * 16 * 16 * 27), (("point*", "linear"), 16 * 16 * 16 * 16 + 16 * 5)]
)
def test_skipped_modules_stay_in_float(lower: Lower, skip: tuple[str, ...], macs: int) -> None:
    artifact = lower(Quantize(skip=skip))
    left = [operator for operator in artifact.placement.operators if operator.macs and not operator.integer]
    assert sum(operator.macs for operator in left) == macs
    assert artifact.integer_macs == pytest.approx(1 - macs / MACS)
    assert artifact.integer < 1


def graph_of(artifact: Artifact) -> schema.SubGraphT:
    return schema.ModelT.InitFromPackedBuf(artifact.files[0].read_bytes(), 0).subgraphs[0]


def test_weights_have_a_scale_a_channel_or_one_in_all(lower: Lower) -> None:
    def most_scales(recipe: Quantize) -> int:
        details = [tensor.quantization for tensor in graph_of(lower(recipe)).tensors]
        return max(len(details_of.scale) for details_of in details if details_of and details_of.scale is not None)

    assert most_scales(Quantize()) == 16
    assert most_scales(Quantize(weights=Weights(granularity="per-tensor"))) == 1


def test_only_the_edges_are_named(lower: Lower) -> None:
    assert [tensor.name for tensor in graph_of(lower()).tensors if tensor.name] == [b"image", b"logits"]


def test_the_observer_decides_the_scales(lower: Lower) -> None:
    histogram = lower(Quantize(activations=Activations(observer="histogram")))
    assert histogram.integer_macs == 1
    assert histogram.files[0].read_bytes() != lower(Quantize()).files[0].read_bytes()


def test_symmetric_activations_have_zero_point_0(lower: Lower) -> None:
    def zero_points(recipe: Quantize) -> set[int]:
        details = [tensor.quantization for tensor in graph_of(lower(recipe)).tensors]
        return {
            int(zero)
            for details_of in details
            if details_of and details_of.zeroPoint is not None
            for zero in details_of.zeroPoint
        }

    assert zero_points(Quantize(activations=Activations(symmetric=True))) == {0}
    assert zero_points(Quantize()) > {0}


def test_what_litert_cannot_quantize_is_a_misfit() -> None:
    with pytest.raises(Misfit, match="zero point 0 only"):
        TFLite().quantization(Quantize(weights=Weights(symmetric=False)), XNNPACK)
    with pytest.raises(Misfit, match="not uint8"):
        TFLite().quantization(Quantize(), XNNPACK.model_copy(update={"activations": "uint8"}))


def test_the_file_says_nothing_of_the_machine_that_built_it(lower: Lower) -> None:
    for artifact in (lower(), lower(Quantize())):
        content = artifact.files[0].read_bytes()
        traces = [os.sep + "site-packages", str(Path(edgekit.__file__).parents[1]), "test_tflite", ".py"]
        assert [word for word in (*traces, *machine.names()) if word.encode() in content] == []


def test_lowering_writes_nothing_to_standard_output(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TFLite().lower(program, board(XNNPACK), XNNPACK, tmp_path)
    assert capsys.readouterr().out == ""
