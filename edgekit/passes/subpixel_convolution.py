"""Transposed convolutions as sub-pixel convolutions: a convolution at the input's resolution, and a pixel shuffle.

A transposed convolution of stride s gives s outputs an axis for each input. Output s * i + r is a sum over inputs i - j
with the weights s * j + r: an ordinary convolution for each phase r, of ceil(kernel / s) weights (Shi et al. 2016,
"Is the deconvolution layer the same as a convolutional layer?"). One convolution computes all phases as channels, a
shuffle interleaves them, and a slice cuts what the padding takes away. The function stays the same. There are integer
kernels for convolutions in every runtime, for transposed ones in few.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.node_insertion import NodeInsertion

aten = torch.ops.aten
TRANSPOSED: dict[Any, int] = {aten.conv_transpose1d.default: 1, aten.conv_transpose2d.input: 2}
"""Transposed convolutions, with their number of spatial axes."""
CONVOLUTIONS = {1: aten.conv1d.default, 2: aten.conv2d.default}
CLAMPS = {
    aten.relu.default,
    aten.relu_.default,
    aten.relu6.default,
    aten.relu6_.default,
    aten.hardtanh.default,
    aten.hardtanh_.default,
}
"""Functions of single values, which kernels of convolutions compute too if they follow at once: rounding saturates."""
DEFAULTS: tuple[Any, ...] = (None, None, None, 1, 0, 0, 1, 1)
"""Arguments of a transposed convolution that may be left out, in their places."""


@dataclass(frozen=True)
class Geometry:
    """Sizes of a transposed convolution, one number an axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    beyond: tuple[int, ...]
    """Output padding: outputs at the end, of which those beyond the padding are reached by no input."""
    groups: int

    @property
    def taps(self) -> tuple[int, ...]:
        """Weights of one phase, an axis each."""
        sizes = zip(self.kernel, self.stride, self.padding, self.dilation, self.beyond, strict=True)
        return tuple(-(-(d * (k - 1) + 1 + max(0, more - p)) // s) for k, s, p, d, more in sizes)


def with_subpixel_convolutions(model: fx.GraphModule, skip: Sequence[str]) -> fx.GraphModule:
    """Replace transposed convolutions in one or two dimensions with constant weights, in place.

    skip: patterns of modules that stay as they are. Others stay too, if their sizes are free.
    """
    for node in list(model.graph.nodes):
        if node.target in TRANSPOSED and not is_skipped(node, skip) and _is_static(node):
            _replace(model, node)
    model.graph.eliminate_dead_code()
    model.recompile()
    return model


def subpixel_weight(weight: Tensor, geometry: Geometry) -> Tensor:
    """Weights [outputs * phases, inputs / groups, taps …] of a transposed convolution's [inputs, outputs / groups, …].

    Phases are the faster index of the channels, as `aten.pixel_shuffle` reads them.
    """
    axes, taps, strides = range(weight.dim() - 2), geometry.taps, geometry.stride
    full = weight.new_zeros((*weight.shape[:2], *(tap * stride for tap, stride in zip(taps, strides, strict=True))))
    places = (slice(0, d * (k - 1) + 1, d) for k, d in zip(geometry.kernel, geometry.dilation, strict=True))
    full[(slice(None), slice(None), *places)] = weight
    # [groups, inputs, outputs, tap, phase, …], taps in reverse: the latest input has the first weight.
    sizes = itertools.chain.from_iterable(zip(taps, strides, strict=True))
    split = full.reshape(geometry.groups, -1, weight.shape[1], *sizes).flip([3 + 2 * axis for axis in axes])
    phases, steps = [4 + 2 * axis for axis in axes], [3 + 2 * axis for axis in axes]
    ordered = split.permute(0, 2, *phases, 1, *steps)
    return ordered.reshape(-1, weight.shape[0] // geometry.groups, *taps).contiguous()


class SubpixelWeight(nn.Module):
    """Weights of a sub-pixel convolution, computed of those of a transposed one."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry

    def forward(self, weight: Tensor) -> Tensor:
        return subpixel_weight(weight, self.geometry)


class SubpixelBias(nn.Module):
    """Bias of a sub-pixel convolution: that of each output, once for each phase."""

    def __init__(self, phases: int) -> None:
        super().__init__()
        self.phases = phases

    def forward(self, bias: Tensor) -> Tensor:
        return bias.repeat_interleave(self.phases)


def _is_static(node: fx.Node) -> bool:
    constants = node.args[1:3]
    sizes = (*node.meta["val"].shape, *node.args[0].meta["val"].shape) if isinstance(node.args[0], fx.Node) else (None,)
    return all(isinstance(size, int) for size in sizes) and all(
        constant is None or (isinstance(constant, fx.Node) and constant.op == "get_attr") for constant in constants
    )


def _geometry(node: fx.Node, weight: Tensor) -> Geometry:
    axes = TRANSPOSED[node.target]
    arguments: tuple[Any, ...] = node.args
    stride, padding, beyond, groups, dilation = (*arguments[3:], *DEFAULTS[len(node.args) :])
    strides, cut, steps, more = (_sizes(value, axes) for value in (stride, padding, dilation, beyond))
    return Geometry(tuple(weight.shape[2:]), strides, cut, steps, more, int(groups))


def _sizes(value: Any, axes: int) -> tuple[int, ...]:
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,)
    return sizes * axes if len(sizes) == 1 else sizes


def _replace(model: fx.GraphModule, node: fx.Node) -> None:
    """Replace one transposed convolution, and the clamp that is its only reader, which moves before the shuffle."""
    arguments: tuple[Any, ...] = node.args
    source, weight_node, bias_node = (*arguments[:3], *DEFAULTS[len(node.args) : 3])
    geometry = _geometry(node, _value(model, weight_node))
    phases = math.prod(geometry.stride)
    before = NodeInsertion(model, node)
    weight = before.derived("subpixel_weight", weight_node, SubpixelWeight(geometry))
    bias = None if bias_node is None else before.derived("subpixel_bias", bias_node, SubpixelBias(phases))
    axes = len(geometry.stride)
    padding = [tap - 1 for tap in geometry.taps]
    result = before.call(CONVOLUTIONS[axes], source, weight, bias, [1] * axes, padding, [1] * axes, geometry.groups)
    last, users = node, list(node.users)
    if len(users) == 1 and users[0].target in CLAMPS:
        last = users[0]
        result = before.call(last.target, result, *last.args[1:])
    for target, *rest in _interleaved(geometry, node.meta["val"].shape, result.meta["val"].shape):
        result = before.call(target, result, *rest)
    last.replace_all_uses_with(result)
    model.graph.erase_node(last)
    if last is not node:
        model.graph.erase_node(node)


def _interleaved(geometry: Geometry, output: Sequence[int], computed: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """Operators from phases in channels [N, C * phases, …] to the output's shape, with their arguments."""
    if max(geometry.stride) > 1:
        sizes, axes = list(computed[2:]), len(geometry.stride)
        # Any number of samples: calibrated programs also judge batches.
        yield aten.reshape.default, [-1, output[1], *geometry.stride, *sizes]
        pairs = itertools.chain.from_iterable((2 + axes + axis, 2 + axis) for axis in range(axes))
        yield aten.permute.default, [0, 1, *pairs]
        wide = [size * stride for size, stride in zip(sizes, geometry.stride, strict=True)]
        yield aten.reshape.default, [-1, output[1], *wide]
    else:
        wide = list(computed[2:])
    for axis, (first, size, whole) in enumerate(zip(geometry.padding, output[2:], wide, strict=True)):
        if first or size < whole:
            yield aten.slice.Tensor, 2 + axis, first, first + size


def _value(model: fx.GraphModule, constant: fx.Node) -> Tensor:
    path, _, name = str(constant.target).rpartition(".")
    tensor: Tensor = getattr(model.get_submodule(path), name)
    return tensor.detach()
