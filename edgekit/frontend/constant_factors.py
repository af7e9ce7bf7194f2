"""Matrix products whose second factor is constant, as `linear` layers: projections and experts that a network writes
with `@`, `bmm` or `einsum` and parameters of its own.

Quantizers and delegates know weights as those of a `linear`; a product with a slice of a parameter is two activations
to them, and stays in float.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import torch
from torch.fx import GraphModule, Node

from edgekit.frontend.computed_weights import constants
from edgekit.frontend.constant_equations import has_sizes, located, split_constant_equations
from edgekit.frontend.shared_weight_folding import call_before

aten = torch.ops.aten
PRODUCTS = {aten.matmul.default, aten.mm.default, aten.bmm.default}
MOST = 64
"""Most matrices of a stack that become a layer each: more layers cost more in calls than integers save."""
TRANSPOSES = {aten.t.default, aten.numpy_T.default}


def write_as_linear(module: GraphModule) -> bool:
    """Replace products by a constant second factor by linear layers, in place. Returns whether there was one.

    A matrix becomes a layer's weight, a stack of matrices with a batch of inputs each a layer each, one with inputs in
    common a single layer of all outputs. Products of a constant that anything else reads too stay, but for the layer
    that reads a table transposed: the constant would be stored twice.
    """
    split_constant_equations(module)
    constant = constants(module)
    products = [node for node in module.graph.nodes if node.target in PRODUCTS and _is_layer(node, constant)]
    sources = {product: _source(product.args[1]) for product in products}
    own = [product for product in products if _is_own(product, products, sources, constant)]
    for product in own:
        _replace(product)
    if own:
        module.graph.eliminate_dead_code()
        module.recompile()
    return bool(own)


def _is_layer(product: Node, constant: Set[Node]) -> bool:
    left, right = product.args
    if not isinstance(left, Node) or not isinstance(right, Node) or left in constant or right not in constant:
        return False
    x, weight = left.meta["val"], right.meta["val"]
    if not x.is_floating_point() or x.dtype != weight.dtype or x.dim() < 2:
        return False
    if weight.dim() == 2:
        return True
    if weight.dim() != 3 or not has_sizes(left) or x.dim() > 3:
        return False
    return x.dim() == 2 or x.shape[0] == 1 or (len(weight) <= MOST and x.shape[0] == len(weight))


def _source(node: Any) -> str:
    """Name of the constant that `node` is a view or a part of; empty if it is computed of several."""
    while node.op != "get_attr":
        if len(node.all_input_nodes) != 1:
            return ""
        (node,) = node.all_input_nodes
    return str(node.target)


def _is_own(product: Node, products: list[Node], sources: dict[Node, str], constant: Set[Node]) -> bool:
    """True if the product's weight is stored once: it is a constant as it is, or nothing but products reads that."""
    name, right = sources[product], product.args[1]
    assert isinstance(right, Node)
    if not name or _is_transposed_constant(right):
        return True
    reads = [node for node in product.graph.nodes if node.op == "get_attr" and node.target == name]
    return all(_reaches_only(node, products, constant) for node in reads)


def _reaches_only(node: Node, products: list[Node], constant: Set[Node]) -> bool:
    return all(
        (user in products and user.args[0] is not node)
        or (user in constant and _reaches_only(user, products, constant))
        for user in node.users
    )


def _is_transposed_constant(node: Node) -> bool:
    """True for the transpose of a constant matrix; one constant may be read by a lookup and, so, by a layer."""
    if node.op != "call_function" or len(node.all_input_nodes) != 1 or node.all_input_nodes[0].op != "get_attr":
        return False
    if node.meta["val"].dim() != 2:
        return False
    axes: Any = node.args[1:]
    if node.target is aten.permute.default:
        return [axis % 2 for axis in axes[0]] == [1, 0]
    return node.target in TRANSPOSES or (node.target is aten.transpose.int and axes[0] % 2 != axes[1] % 2)


def _replace(product: Node) -> None:
    x, weight = product.args
    assert isinstance(x, Node)
    assert isinstance(weight, Node)
    if weight.meta["val"].dim() == 2:
        result = _linear(product, x, _weight(product, weight))
    elif x.meta["val"].dim() == 2 or x.meta["val"].shape[0] == 1:
        result = _in_common(product, x, weight)
    else:
        parts = [(_part(product, x, each), _part(product, weight, each)) for each in range(len(weight.meta["val"]))]
        layers = [_linear(product, part, _weight(product, matrix)) for part, matrix in parts]
        result = _call(product, aten.stack.default, layers)
    product.replace_all_uses_with(result)
    product.graph.erase_node(product)


def _in_common(product: Node, x: Node, weight: Node) -> Node:
    """One layer of the outputs of all matrices, which read the same inputs [N, K] or [1, N, K]."""
    count, inputs, outputs = weight.meta["val"].shape
    rows = x.meta["val"].shape[-2]
    joined = _call(product, aten.permute.default, weight, [0, 2, 1])
    joined = _call(product, aten.clone.default, joined)
    joined = _call(product, aten.reshape.default, joined, [count * outputs, inputs])
    matrix = x if x.meta["val"].dim() == 2 else _call(product, aten.reshape.default, x, [rows, inputs])
    flat = _linear(product, matrix, joined)
    split = _call(product, aten.reshape.default, flat, [rows, count, outputs])
    return _call(product, aten.permute.default, split, [1, 0, 2])


def _part(product: Node, stack: Node, index: int) -> Node:
    return _call(product, aten.select.int, stack, 0, index)


def _weight(product: Node, matrix: Node) -> Node:
    """Weight of a layer: the constant whose transpose is read, or a copy that is folded, transposed."""
    if _is_transposed_constant(matrix):
        return matrix.all_input_nodes[0]
    return _call(product, aten.clone.default, _call(product, aten.permute.default, matrix, [1, 0]))


def _linear(product: Node, x: Node, weight: Node) -> Node:
    return _call(product, aten.linear.default, x, weight)


def _call(product: Node, target: Any, *args: Any) -> Node:
    if target is aten.stack.default:
        values = [part.meta["val"] for part in args[0]]
        with product.graph.inserting_before(product):
            new = product.graph.call_function(target, args)
        new.meta["val"] = target(values, 0)
        return located(new, product)
    return located(call_before(product, target, *args), product)
