"""Batch norms folded into layers whose weights have another reader, so that nobody folds such weights in place.

A siamese network calls one convolution and its batch norm twice; a detection head calls one convolution on several
scales, each with a batch norm of its own; a shortcut may leave between the two. Each such pair gets folded constants,
equal pairs the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.nn.utils.fusion import fuse_conv_bn_weights

from edgekit.frontend.computed_weights import tensor

aten = torch.ops.aten
CONVOLUTIONS = {
    aten.conv1d.default,
    aten.conv1d.padding,
    aten.conv2d.default,
    aten.conv2d.padding,
    aten.conv3d.default,
    aten.conv3d.padding,
}
TRANSPOSED = {aten.conv_transpose1d.default, aten.conv_transpose2d.input, aten.conv_transpose3d.input}


@dataclass(frozen=True)
class Pair:
    """A layer with constant weights, and a batch norm in evaluation that reads what it gives."""

    layer: Node
    norm: Node

    @property
    def weight(self) -> Node:
        return self.layer.args[1]  # type: ignore[return-value]  # `_pairs` looked

    @property
    def bias(self) -> Node | None:
        return self.layer.args[2] if len(self.layer.args) > 2 else None  # type: ignore[return-value]

    @property
    def key(self) -> tuple[object, ...]:
        """Equal where the folded constants are."""
        constants = (self.weight, self.bias, *self.norm.args[1:5])
        return (self.layer.target, *(getattr(node, "target", None) for node in constants), self.norm.args[7])


def fold_shared(module: GraphModule) -> bool:
    """Fold, in place, the batch norms behind layers whose weights or results are read elsewhere too.

    Returns whether there was one. Where all readers of a weight are equal pairs, the folded weight keeps its name and
    the bias is called `<weight>_bias`, as torchao calls them.
    """
    pairs = [pair for pair in _pairs(module) if _is_shared(module, pair)]
    constants: dict[tuple[object, ...], tuple[Node, Node]] = {}
    folded = {pair.key: _folded(module, pair) for pair in pairs}
    names = {pair.key: _name(module, pair, pairs, len(folded)) for pair in pairs}
    for pair in pairs:
        if pair.key not in constants:
            name = names[pair.key]
            held = zip((name, f"{name}_bias"), folded[pair.key], strict=True)
            weight, bias = (_constant(module, pair.layer, *one) for one in held)
            constants[pair.key] = weight, bias
        _replace(pair, *constants[pair.key])
    module.graph.eliminate_dead_code()
    module.recompile()
    return bool(pairs)


def _pairs(module: GraphModule) -> Iterator[Pair]:
    for norm in module.graph.nodes:
        layer = norm.args[0] if norm.target is aten.batch_norm.default else None
        if not isinstance(layer, Node) or not _is_foldable(layer):
            continue
        statistics: Sequence[Any] = norm.args[1:5]
        if not norm.args[5] and None not in statistics[2:] and all(map(_is_constant, statistics)):
            yield Pair(layer, norm)


def _is_foldable(layer: Node) -> bool:
    if layer.target is aten.linear.default:
        # Over more axes, the batch norm's channels are not those that a linear layer gives.
        alike = layer.meta["val"].dim() == 2
    else:
        alike = layer.target in CONVOLUTIONS or (layer.target in TRANSPOSED and _groups(layer) == 1)
    return alike and layer.args[1] is not None and all(map(_is_constant, layer.args[1:3]))


def _groups(transposed: Node) -> Any:
    return transposed.args[6] if len(transposed.args) > 6 else 1


def _is_constant(node: Any) -> bool:
    return node is None or (isinstance(node, Node) and node.op == "get_attr")


def _is_shared(module: GraphModule, pair: Pair) -> bool:
    held = [constant for constant in (pair.weight, pair.bias) if constant is not None]
    return len(pair.layer.users) > 1 or any(len(_readers(module, constant)) > 1 for constant in held)


def _readers(module: GraphModule, constant: Node) -> list[Node]:
    twins = (node for node in module.graph.nodes if node.op == "get_attr" and node.target == constant.target)
    return [user for twin in twins for user in twin.users]


def _folded(module: GraphModule, pair: Pair) -> tuple[Tensor, Tensor]:
    constants: Sequence[Any] = (pair.weight, pair.bias, *pair.norm.args[1:5])
    weight, bias, gain, offset, mean, variance = (node and tensor(module, node) for node in constants)
    eps: Any = pair.norm.args[7]
    transposed = pair.layer.target in TRANSPOSED
    return fuse_conv_bn_weights(weight, bias, mean, variance, eps, gain, offset, transposed)


def _name(module: GraphModule, pair: Pair, pairs: Sequence[Pair], count: int) -> str:
    alike = {other.layer for other in pairs if other.key == pair.key and len(other.layer.users) == 1}
    own = str(pair.weight.target)
    if set(_readers(module, pair.weight)) == alike:
        return own
    order = list(dict.fromkeys(other.key for other in pairs)).index(pair.key)
    return f"{own}_folded_{order}"


def _constant(module: GraphModule, layer: Node, name: str, value: Tensor) -> Node:
    """A node that reads `value`, held under `name`, before `layer`."""
    path, _, leaf = name.rpartition(".")
    setattr(module.get_submodule(path), leaf, nn.Parameter(value.detach().clone(), requires_grad=False))
    with layer.graph.inserting_before(layer):
        constant = layer.graph.get_attr(name)
    constant.meta = {"val": value}
    return constant


def _replace(pair: Pair, weight: Node, bias: Node) -> None:
    """Put a layer with these constants in the place of the batch norm. The one before it stays for other readers."""
    layer, norm = pair.layer, pair.norm
    assert callable(layer.target)
    with norm.graph.inserting_before(norm):
        made = norm.graph.call_function(layer.target, (layer.args[0], weight, bias, *layer.args[3:]), layer.kwargs)
    made.meta = dict(layer.meta)
    norm.replace_all_uses_with(made)
    norm.graph.erase_node(norm)
