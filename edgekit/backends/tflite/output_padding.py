"""Output padding of transposed convolutions as a crop, for LiteRT's converter has no form for it."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn

aten = torch.ops.aten
TRANSPOSED: dict[Any, int] = {aten.conv_transpose1d.default: 1, aten.conv_transpose2d.input: 2}
"""Transposed convolutions, with their number of spatial axes."""
PADDING, OUTPUT_PADDING, DILATION = 4, 5, 7
"""Indices of arguments of both."""


def with_cropped_outputs(model: fx.GraphModule) -> fx.GraphModule:
    """Replace output padding by less padding and a slice, in place. The function stays the same.

    Padding of a transposed convolution cuts that many outputs from both ends, output padding returns some at the last
    end. Where it returns more than were cut, the kernel is made longer by zeros.
    """
    for node in list(model.graph.nodes):
        if node.target in TRANSPOSED and len(node.args) > OUTPUT_PADDING and any(_sizes(node, OUTPUT_PADDING, 0)):
            _crop(model, node)
    model.recompile()
    return model


def _crop(model: fx.GraphModule, node: fx.Node) -> None:
    padding, more = _sizes(node, PADDING, 0), _sizes(node, OUTPUT_PADDING, 0)
    beyond = [max(0, extra - cut) for cut, extra in zip(padding, more, strict=True)]
    if any(beyond):
        if any(step > 1 for step in _sizes(node, DILATION, 1)):
            return
        _lengthen(model, node, beyond)
    left = [max(0, cut - extra) for cut, extra in zip(padding, more, strict=True)]
    arguments = list(node.args)
    arguments[PADDING], arguments[OUTPUT_PADDING] = left, [0] * len(left)
    node.args = tuple(arguments)
    value, result = node.meta["val"], node
    readers = list(node.users)
    for axis, (cut, rest) in enumerate(zip(padding, left, strict=True), start=2):
        if cut > rest:
            with model.graph.inserting_after(result):
                result = model.graph.call_function(aten.slice.Tensor, (result, axis, cut - rest, 2**63 - 1))
            result.meta = {**node.meta, "val": value}
    for reader in readers:
        reader.replace_input_with(node, result)


def _lengthen(model: fx.GraphModule, node: fx.Node, beyond: list[int]) -> None:
    """Append zeros to the kernel, as a constant of the layer's own."""
    weight: Any = node.args[1]
    value: Any = model
    for part in str(weight.target).split("."):
        value = getattr(value, part)
    ends = [size for extra in reversed(beyond) for size in (0, extra)]
    name = f"longer_{weight.name}"
    model.register_parameter(name, nn.Parameter(nn.functional.pad(value.detach(), ends), requires_grad=False))
    with model.graph.inserting_before(node):
        constant = model.graph.get_attr(name)
    node.update_arg(1, constant)


def _sizes(node: fx.Node, index: int, default: int) -> list[int]:
    value: Any = node.args[index] if len(node.args) > index else default
    sizes = list(value) if isinstance(value, list | tuple) else [value]
    return sizes * TRANSPOSED[node.target] if len(sizes) == 1 else sizes
