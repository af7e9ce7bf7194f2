"""Factor behind the last layer, such as a temperature, multiplied into that layer's weights: it then costs nothing."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule, Node

from edgekit.frontend.computed_weights import tensor

aten = torch.ops.aten
LAYERS = {aten.linear.default, aten.conv1d.default, aten.conv2d.default, aten.conv3d.default}
VIEWS = {
    aten.flatten.using_ints,
    aten.reshape.default,
    aten.view.default,
    aten.squeeze.dim,
    aten.squeeze.default,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.permute.default,
    aten.transpose.int,
    aten.mean.dim,
    aten.adaptive_avg_pool2d.default,
    aten.dropout.default,
}
"""Operators of one input that are linear in it, which a factor may pass."""


def fold_output_factor(module: GraphModule) -> bool:
    """Multiply a constant factor of the first output into the layer that makes it, in place. Returns whether it did.

    The output must be `layer / number`, `layer * number`, or the same with views between, each read by nothing else. In
    float the answers are the same up to rounding; an int8 layer has other scales, and the same integers.
    """
    scaled = _first_output(module)
    factor = _factor(scaled) if scaled is not None else None
    if scaled is None or factor is None:
        return False
    source = scaled.args[0]
    layer = _layer(source) if isinstance(source, Node) else None
    if layer is None or not isinstance(source, Node):
        return False
    _scale(module, layer, factor)
    scaled.replace_all_uses_with(source)
    module.graph.erase_node(scaled)
    module.graph.eliminate_dead_code()
    module.recompile()
    return True


def _first_output(module: GraphModule) -> Node | None:
    results = next(node for node in reversed(module.graph.nodes) if node.op == "output").args[0]
    first = results[0] if isinstance(results, (tuple, list)) and results else results
    return first if isinstance(first, Node) and len(first.users) == 1 else None


def _factor(node: Node) -> float | None:
    """Number that the node multiplies its first argument by; None for another operator."""
    if node.target not in (aten.div.Tensor, aten.mul.Tensor) or node.kwargs or len(node.args) != 2:
        return None
    number = node.args[1]
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number) or number == 0:
        return None
    return 1 / number if node.target is aten.div.Tensor else float(number)


def _layer(node: Node) -> Node | None:
    """Layer with constant weights that `node` is, or is a view of; None if anything else reads it."""
    while len(node.users) == 1:
        constants = [each for each in node.args[1:3] if each is not None]
        if node.target in LAYERS and all(isinstance(each, Node) and each.op == "get_attr" for each in constants):
            return node
        if node.target not in VIEWS or not isinstance(node.args[0], Node):
            return None
        node = node.args[0]
    return None


def _scale(module: GraphModule, layer: Node, factor: float) -> None:
    """Give the layer weights and bias times `factor`; the old ones stay for other readers."""
    source, *rest = layer.args
    scaled: list[Any] = []
    for name, constant in zip(("weight", "bias"), rest[:2], strict=False):
        if not isinstance(constant, Node):
            scaled.append(constant)
            continue
        value = (tensor(module, constant).double() * factor).to(tensor(module, constant).dtype)
        module.register_parameter(f"scaled_output_{name}", nn.Parameter(value, requires_grad=False))
        with module.graph.inserting_before(layer):
            made = module.graph.get_attr(f"scaled_output_{name}")
        made.meta = dict(constant.meta)
        scaled.append(made)
    layer.args = (source, *scaled, *rest[2:])
