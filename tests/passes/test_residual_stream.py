"""Residual streams stay in float: a vision transformer keeps its class token in int8, however large pixels are."""

from __future__ import annotations

import importlib
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekit import plugins
from edgekit.backends.base import Backend
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.quantize import quantize
from edgekit.passes.quantization.residual_stream import residual_stream
from edgekit.specs.compression import Quantize
from edgekit.specs.inputs import Input
from edgekit.specs.target import RuntimeSpec

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
RAW = {"from": "uint8 NHWC", "scale": 1 / 255, **IMAGENET}


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.up, self.down = nn.Linear(width, width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        x = x + self.mix(F.scaled_dot_product_attention(y, y, y))
        answer: Tensor = x + self.down(F.gelu(self.up(self.second(x))))
        return answer


class ViT(nn.Module):
    """Vision transformer: patches of 4 x 4 by a convolution, a class token, positions, two blocks, a head."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.places = nn.Parameter(torch.randn(1, 17, width) * 0.02)
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), 1) + self.places
        answer: Tensor = self.head(self.norm(self.blocks(x))[:, 0])
        return answer


def vit(preprocess: dict[str, object] | None) -> Program:
    spec = Input.model_validate({"shape": [3, 16, 16], **({"preprocess": preprocess} if preprocess else {})})
    edge = TensorSpec("image", spec.raw_dtype, (1, *spec.raw_shape))
    example = torch.zeros(edge.shape, dtype=getattr(torch, edge.dtype))
    with torch.no_grad():
        exported = torch.export.export(Deployed(ViT(), {"image": spec}).eval(), (example,))
    return Program(exported, Signature((edge,), (TensorSpec("output", "float32", (1, 10)),)))


def pictures(count: int, seed: int) -> Tensor:
    """Smooth pictures, uint8 [count, 16, 16, 3]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 4, 4, generator=generator)
    pixels = F.interpolate(coarse, size=(16, 16), mode="bilinear") * 60 + 118
    return pixels.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def normalized(pixels: Tensor) -> Tensor:
    mean, std = (torch.tensor(IMAGENET[name]).reshape(1, 3, 1, 1) for name in ("mean", "std"))
    return (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std


def backend(name: str) -> tuple[Backend, RuntimeSpec]:
    made: Backend = plugins.load("backends", name)()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of converters, as they are imported
        for module in made.preload:
            importlib.import_module(module)
    return made, RuntimeSpec(backend=name, delegates=("cpu",) if name == "onnx" else ("xnnpack",))


def int8_sqnr_db(name: str, preprocess: dict[str, object] | None) -> float:
    """Signal to quantization noise of the quantized program on pictures that it was not calibrated on."""
    made, runtime = backend(name)
    program = vit(preprocess)
    convert = (lambda pixels: pixels) if preprocess else normalized
    calibration, checks = ([(convert(one[None]),) for one in pictures(6, seed)] for seed in (1, 2))
    quantized = quantize(program, Quantize(), lambda r: made.quantization(r, runtime), calibration, checks[:2])
    with torch.no_grad():
        true, rounded = (
            torch.cat([each.exported.module()(*check) for check in checks]).double() for each in (program, quantized)
        )
    return float(10 * torch.log10(true.square().sum() / (true - rounded).square().sum()))


@pytest.mark.parametrize("name", ["executorch", "onnx", "tflite"])
def test_a_class_token_is_kept_beside_large_patches(name: str) -> None:
    # With sums in int8: below 0 dB, as the class token was less than half a step beside patches of such pixels.
    assert int8_sqnr_db(name, {**RAW, "scale": 1.0}) > 20


def test_pixels_in_the_graph_cost_a_vision_transformer_nothing() -> None:
    assert int8_sqnr_db("onnx", RAW) > int8_sqnr_db("onnx", None) - 1


def test_the_stream_is_what_only_norms_read() -> None:
    members = residual_stream(vit(None).exported.graph)
    # One concatenation, the positions, and two sums a block; the last norm reads all of them.
    assert sorted(str(node.target) for node in members) == ["aten.add.Tensor"] * 5 + ["aten.cat.default"]


class Residual(nn.Module):
    """Sum of a convolutional network: a convolution reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.second(F.relu(x + self.first(x)))
        return answer


def test_sums_that_integer_kernels_read_are_no_stream() -> None:
    exported = torch.export.export(Residual().eval(), (torch.zeros(1, 3, 4, 4),))
    assert residual_stream(exported.graph) == frozenset()


class Details(nn.Module):
    """Network whose answer is a sum or a concatenation, by `kind`, or no sum at all."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.details, self.after = kind, nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        details: Tensor = self.details(x)
        if self.kind == "picture":
            return (x + details).clamp(0, 1)
        if self.kind == "boxes":
            return torch.cat((details, x), 1).flatten(2).transpose(1, 2)
        if self.kind == "sliced":
            return details[:, :1].flatten(1)
        answer = x + details
        return answer, self.after(answer)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("picture", ["aten.add.Tensor", "aten.clamp.default"]),
        ("boxes", ["aten.cat.default", "aten.flatten.using_ints", "aten.transpose.int"]),
        ("sliced", []),  # the layer before it stays rounded, and the slice keeps its scale
        ("read by a convolution", []),
    ],
)
def test_a_sum_that_is_the_answer_is_a_stream(kind: str, expected: list[str]) -> None:
    exported = torch.export.export(Details(kind).eval(), (torch.zeros(1, 3, 4, 4),))
    assert sorted(str(node.target) for node in residual_stream(exported.graph)) == expected


class Score(nn.Module):
    """Network whose answer is the mean squared error of a reconstruction; or a layer reads it."""

    def __init__(self, read: bool) -> None:
        super().__init__()
        self.read, self.layer, self.after = read, nn.Linear(8, 8), nn.Linear(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        difference = self.layer(x) - x
        score = (difference * difference).mean(1, keepdim=True)
        answer: Tensor = self.after(score) if self.read else score
        return answer


def test_arithmetic_of_the_answer_is_a_stream_unless_a_layer_reads_it() -> None:
    graphs = [torch.export.export(Score(read).eval(), (torch.zeros(1, 8),)).graph for read in (False, True)]
    streams = [sorted(str(node.target) for node in residual_stream(graph)) for graph in graphs]
    assert streams == [["aten.mean.dim", "aten.mul.Tensor", "aten.sub.Tensor"], []]
