"""Transposed convolutions rewritten for integer kernels, and output padding for LiteRT, compute what they did."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import fx, nn

from edgekit.backends.tflite.output_padding import with_cropped_outputs
from edgekit.passes.quantization.simulate import unguarded
from edgekit.passes.subpixel_convolution import TRANSPOSED, with_subpixel_convolutions

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "kernel of two strides": (lambda: nn.ConvTranspose2d(6, 4, 4, 2, 1), (5, 7)),
    "kernel of one stride": (lambda: nn.ConvTranspose2d(6, 4, 2, 2), (5, 7)),
    "output padding": (lambda: nn.ConvTranspose2d(6, 4, 3, 2, 1, 1), (5, 7)),
    "groups, and sizes of each axis": (
        lambda: nn.ConvTranspose2d(6, 4, (3, 5), (2, 3), (1, 2), (1, 2), groups=2), (5, 7)
    ),
    "output padding beyond the kernel": (lambda: nn.ConvTranspose2d(6, 4, 2, 3, 0, 2), (5, 7)),
    "dilation, without a bias": (lambda: nn.ConvTranspose2d(6, 4, 3, 2, 1, 1, dilation=2, bias=False), (5, 7)),
    "no stride": (lambda: nn.ConvTranspose2d(6, 4, 3, 1, 1), (5, 7)),
    "one dimension": (lambda: nn.ConvTranspose1d(6, 4, 5, 2, 2, 1), (9,)),
    "depthwise": (lambda: nn.ConvTranspose1d(6, 6, 4, 4, groups=6), (9,)),
}  # fmt: skip


def captured(layer: nn.Module, sizes: tuple[int, ...]) -> tuple[fx.GraphModule, torch.Tensor]:
    torch.manual_seed(2)
    x = torch.randn(1, 6, *sizes)
    module = torch.export.export(nn.Sequential(layer, nn.ReLU()).eval(), (x,)).module()
    assert isinstance(module, fx.GraphModule)
    return module, x


@pytest.mark.parametrize("name", LAYERS)
def test_a_transposed_convolution_becomes_a_convolution_and_a_shuffle(name: str) -> None:
    make, sizes = LAYERS[name]
    model, x = captured(make(), sizes)
    expected = model(x)
    rewritten = with_subpixel_convolutions(model, ())
    calls = [node.target for node in rewritten.graph.nodes if node.op == "call_function"]
    assert not set(calls) & TRANSPOSED.keys()
    assert calls[1] is torch.ops.aten.relu.default, "the clamp belongs to the convolution's kernel"
    torch.testing.assert_close(rewritten(x), expected)
    several = unguarded(rewritten)(torch.cat([x, 2 * x]))
    torch.testing.assert_close(several[:1], expected, msg="calibrated programs are judged on several samples at once")


def test_a_module_that_is_skipped_keeps_its_transposed_convolution() -> None:
    model, _ = captured(*(part() if callable(part) else part for part in LAYERS["output padding"]))  # type: ignore[arg-type]
    calls = [node.target for node in with_subpixel_convolutions(model, ("*",)).graph.nodes]
    assert torch.ops.aten.conv_transpose2d.input in calls


@pytest.mark.parametrize("name", [name for name in LAYERS if "padding" in name or "axis" in name])
def test_output_padding_becomes_a_crop(name: str) -> None:
    make, sizes = LAYERS[name]
    model, x = captured(make(), sizes)
    expected = model(x)
    cropped = with_cropped_outputs(model)
    (layer,) = (node for node in cropped.graph.nodes if node.target in TRANSPOSED)
    assert not any(layer.args[5])
    torch.testing.assert_close(cropped(x), expected)
