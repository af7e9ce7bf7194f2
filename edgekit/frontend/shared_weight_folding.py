"""Batch-norm folding for layers with shared weights, which must not be folded in place.

A siamese network calls one convolution and its batch norm twice. A detection head calls one convolution on several
scales, each with its own batch norm. A shortcut may start between layer and batch norm. Each pair of layer and batch
norm gets its own folded constants; equal pairs share them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import GraphModule, Node

from edgekit.frontend.computed_weights import computed_weights, replace_weights

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
class LayerAndNorm:
    """Layer with constant weights, and a batch norm in evaluation mode that reads its result."""

    layer: Node
    norm: Node

    @property
    def weight(self) -> Node:
        return self.layer.args[1]  # type: ignore[return-value]  # `foldable_pairs` looked

    @property
    def bias(self) -> Node | None:
        return self.layer.args[2] if len(self.layer.args) > 2 else None  # type: ignore[return-value]

    @property
    def groups(self) -> int:
        """Groups of a transposed convolution; 1 for all other layers, whose weights have outputs as axis 0."""
        transposed = self.layer.target in TRANSPOSED and len(self.layer.args) > 6
        return self.layer.args[6] if transposed else 1  # type: ignore[return-value]

    @property
    def key(self) -> tuple[object, ...]:
        """Key that is equal for pairs whose folded constants are equal."""
        constants = (self.weight, self.bias, *self.norm.args[1:5])
        return (self.layer.target, *(getattr(node, "target", None) for node in constants), self.norm.args[7])


def fold_shared(module: GraphModule) -> bool:
    """Fold, in place, batch norms behind layers whose weights or results have other readers.

    Returns True if there was one. If all readers of a weight are equal pairs, the folded weight keeps its name, and the
    bias is called `<weight>_bias`, as in torchao.
    """
    read = {node for node in module.graph.nodes if node.op == "get_attr"}
    pairs = [pair for pair in foldable_pairs(module, read) if _is_shared(module, pair) or pair.groups > 1]
    keys = list(dict.fromkeys(pair.key for pair in pairs))
    own = {pair.key: _name(module, pair, pairs, keys) for pair in pairs}
    constants: dict[tuple[object, ...], tuple[Node, Node]] = {}
    names: dict[Node, str] = {}
    for pair in pairs:
        if pair.key not in constants:
            weight, bias = constants[pair.key] = folded(pair)
            names |= {weight: own[pair.key], bias: f"{own[pair.key]}_bias"}
        replace_norm(pair, *constants[pair.key])
    module.graph.eliminate_dead_code()
    values = {node: value for node, value in computed_weights(module).items() if node in names}
    replace_weights(module, values, names)
    return bool(pairs)


def foldable_pairs(module: GraphModule, constants: Set[Node]) -> Iterator[LayerAndNorm]:
    """Batch norms of `module` that can be folded into the layer before them. constants: nodes that never change."""
    for norm in module.graph.nodes:
        layer = norm.args[0] if norm.target is aten.batch_norm.default else None
        if not isinstance(layer, Node) or not _is_foldable(layer):
            continue
        statistics: Sequence[Any] = norm.args[1:5]
        if norm.args[5] or None in (layer.args[1], *statistics[2:]):
            continue
        if all(one is None or one in constants for one in (*layer.args[1:3], *statistics)):
            yield LayerAndNorm(layer, norm)


def _is_foldable(layer: Node) -> bool:
    if layer.target is aten.linear.default:
        # Over more axes, the batch norm's channels are not those that a linear layer gives.
        return bool(layer.meta["val"].dim() == 2)
    return layer.target in CONVOLUTIONS or layer.target in TRANSPOSED


def _is_shared(module: GraphModule, pair: LayerAndNorm) -> bool:
    constants = [constant for constant in (pair.weight, pair.bias) if constant is not None]
    return len(pair.layer.users) > 1 or any(len(_readers(module, constant)) > 1 for constant in constants)


def _readers(module: GraphModule, constant: Node) -> list[Node]:
    twins = (node for node in module.graph.nodes if node.op == "get_attr" and node.target == constant.target)
    return [user for twin in twins for user in twin.users]


def _name(module: GraphModule, pair: LayerAndNorm, pairs: Sequence[LayerAndNorm], keys: Sequence[object]) -> str:
    alike = {other.layer for other in pairs if other.key == pair.key and len(other.layer.users) == 1}
    own = str(pair.weight.target)
    if set(_readers(module, pair.weight)) == alike:
        return own
    return f"{own}_folded_{keys.index(pair.key)}"


def folded(pair: LayerAndNorm) -> tuple[Node, Node]:
    """Nodes that compute the layer's weight and bias with the batch norm folded in (Jacob et al. 2018, eq. 14)."""
    norm = pair.norm
    gain, offset, mean, variance = norm.args[1:5]
    scale = call_before(norm, aten.rsqrt.default, call_before(norm, aten.add.Tensor, variance, norm.args[7]))
    scale = call_before(norm, aten.mul.Tensor, scale, gain) if gain is not None else scale
    weight = call_before(norm, aten.mul.Tensor, pair.weight, _factors(pair, scale))
    bias = call_before(norm, aten.neg.default, mean)
    bias = call_before(norm, aten.add.Tensor, bias, pair.bias) if pair.bias is not None else bias
    bias = call_before(norm, aten.mul.Tensor, bias, scale)
    bias = call_before(norm, aten.add.Tensor, bias, offset) if offset is not None else bias
    return weight, bias


def _factors(pair: LayerAndNorm, scale: Node) -> Node:
    """Scale of each output, reshaped so that it multiplies the weight."""
    inputs, *rest = pair.weight.meta["val"].shape
    if pair.layer.target not in TRANSPOSED:
        return call_before(pair.norm, aten.reshape.default, scale, [-1, *[1] * len(rest)])
    # A transposed convolution has its inputs first, group after group, then the outputs of one group.
    grouped = call_before(pair.norm, aten.reshape.default, scale, [pair.groups, 1, -1])
    each = call_before(pair.norm, aten.expand.default, grouped, [-1, inputs // pair.groups, -1])
    return call_before(pair.norm, aten.reshape.default, each, [inputs, -1, *[1] * (len(rest) - 1)])


def call_before(node: Node, target: Any, *args: Any, **kwargs: Any) -> Node:
    """Insert, before `node`, a node that calls `target`."""
    with node.graph.inserting_before(node):
        made = node.graph.call_function(target, args, kwargs)
    made.meta["val"] = target(*(arg.meta["val"] if isinstance(arg, Node) else arg for arg in args), **kwargs)
    return made


def replace_norm(pair: LayerAndNorm, weight: Node, bias: Node) -> None:
    """Replace the batch norm by a layer with these constants, in place. The original layer stays for other readers."""
    layer, norm = pair.layer, pair.norm
    assert callable(layer.target)
    with norm.graph.inserting_before(norm):
        made = norm.graph.call_function(layer.target, (layer.args[0], weight, bias, *layer.args[3:]), layer.kwargs)
    made.meta = dict(layer.meta)
    norm.replace_all_uses_with(made)
    norm.graph.erase_node(norm)
