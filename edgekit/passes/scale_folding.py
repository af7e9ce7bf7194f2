"""Scale folding: constant factors multiplied into the weights of layers, which saves their operators."""

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
"""Operators of one input that are linear in it: twice the input gives twice the output."""


def is_layer(node: fx.Node) -> bool:
    """True for a convolution or linear layer whose weights are constants."""
    weights = node.args[1] if node.target in WEIGHTED else None
    return isinstance(weights, fx.Node) and weights.op == "get_attr"


def scale_layer(layer: fx.Node, factor: float, offset: float) -> None:
    """Make the layer return `factor` times its output, plus `offset`, in place.

    The old weights stay for other readers.
    """
    source, weights, *more = layer.args
    bias, rest = (more[0], more[1:]) if more else (None, [])
    scaled = _tensor(weights) * factor
    added = torch.zeros(scaled.shape[0], dtype=torch.float64) if bias is None else _tensor(bias) * factor
    layer.args = (source, _constant(layer, weights, scaled), _constant(layer, bias, added + offset), *rest)


def absorb(node: fx.Node, factor: float) -> bool:
    """Fold `factor` into the weights of the layers that read `node`, in place; the caller then drops it from `node`.

    The factor passes through averages, reshapes, and products with values that do not depend on `node`. Returns False,
    and changes nothing, if any other operator reads it.
    """
    layers = _readers(node)
    for layer in layers or ():
        source, weights, *rest = layer.args
        layer.args = (source, _constant(layer, weights, _tensor(weights) * factor), *rest)
    return layers is not None


def _readers(node: fx.Node) -> list[fx.Node] | None:
    """Layers that read a multiple of `node`; None if any other operator reads one."""
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
    """True if the node multiplies the scaled value by another one: a square would need the square of the factor."""
    return node.target is aten.mul.Tensor and len(read) == 1 and node.args.count(read[0]) == 1


def _tensor(constant: Any) -> Tensor:
    """Value of a constant in double precision, so that its product with the factor is rounded once."""
    value: Any = constant.graph.owning_module
    for part in constant.target.split("."):
        value = getattr(value, part)
    assert isinstance(value, Tensor)
    return value.detach().double()


def _constant(layer: fx.Node, before: Any, value: Tensor) -> fx.Node:
    """Add `value` to the module as a new constant, read before `layer`; it takes the metadata of `before`."""
    model = layer.graph.owning_module
    assert model is not None
    name = f"scaled_{sum(1 for _ in model.buffers())}"
    model.register_buffer(name, value.float())
    with layer.graph.inserting_before(layer):
        constant = layer.graph.get_attr(name)
    constant.meta = {**(before.meta if before is not None else {}), "val": value.float()}
    return constant
