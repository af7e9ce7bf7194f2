"""Factors moved into the weights of layers: the function stays, an operator goes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

aten = torch.ops.aten
WEIGHTED = {aten.conv1d.default, aten.conv2d.default, aten.conv3d.default, aten.linear.default}
HOMOGENEOUS = {
    aten.mean.dim,
    aten.adaptive_avg_pool2d.default,
    aten.avg_pool2d.default,
    aten.dropout.default,
    aten.flatten.using_ints,
    aten.permute.default,
    aten.reshape.default,
    aten.view.default,
    aten.slice.Tensor,
}
"""One input; twice the input gives twice the output."""


def is_layer(node: fx.Node) -> bool:
    """Whether it multiplies by constant weights."""
    weights = node.args[1] if node.target in WEIGHTED else None
    return isinstance(weights, fx.Node) and weights.op == "get_attr"


def scale_layer(layer: fx.Node, factor: float, offset: float) -> None:
    """Make a layer give `factor` times what it gave, plus `offset`. Its old weights stay, for other users."""
    source, weights, *more = layer.args
    bias, rest = (more[0], more[1:]) if more else (None, [])
    scaled = _tensor(weights) * factor
    added = torch.zeros(scaled.shape[0], dtype=torch.float64) if bias is None else _tensor(bias) * factor
    layer.args = (source, _constant(layer, weights, scaled), _constant(layer, bias, added + offset), *rest)


def absorb(node: fx.Node, factor: float) -> bool:
    """Have the layers that read `node` take it for `factor` times what it is; False if something else reads it too.

    Averages, moves and products with what does not depend on it pass the factor on.
    """
    layers = _readers(node)
    for layer in layers or ():
        source, weights, *rest = layer.args
        layer.args = (source, _constant(layer, weights, _tensor(weights) * factor), *rest)
    return layers is not None


def _readers(node: fx.Node) -> list[fx.Node] | None:
    """The layers that read a multiple of `node`; None where anything else does."""
    scaled, layers = {node}, []
    for reader in node.graph.nodes:
        read = [source for source in reader.all_input_nodes if source in scaled]
        if not read:
            continue
        if is_layer(reader) and read == [reader.args[0]]:
            layers.append(reader)
        elif reader.target in HOMOGENEOUS or _is_product_with(reader, read):
            scaled.add(reader)
        else:
            return None
    return layers


def _is_product_with(node: fx.Node, read: list[fx.Node]) -> bool:
    """Whether it multiplies what was read by something else: a square would need the factor's square."""
    return node.target is aten.mul.Tensor and len(read) == 1 and node.args.count(read[0]) == 1


def _tensor(constant: Any) -> Tensor:
    """In double precision, so that the factor is rounded once."""
    found: Any = constant.graph.owning_module
    for part in constant.target.split("."):
        found = getattr(found, part)
    assert isinstance(found, Tensor)
    return found.detach().double()


def _constant(layer: fx.Node, before: Any, value: Tensor) -> fx.Node:
    """`value` as a new constant of the layer's, in place of `before`."""
    model = layer.graph.owning_module
    assert model is not None
    name = f"scaled_{sum(1 for _ in model.buffers())}"
    model.register_buffer(name, value.float())
    with layer.graph.inserting_before(layer):
        made = layer.graph.get_attr(name)
    made.meta = {**(before.meta if before is not None else {}), "val": value.float()}
    return made
