"""Equations (`einsum`) with a constant second factor as matrix products between permutations."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch.fx import GraphModule, Node

from edgekit.frontend.computed_weights import constants
from edgekit.frontend.shared_weight_folding import call_before

aten = torch.ops.aten


def split_constant_equations(module: GraphModule) -> None:
    """Write equations with a constant second factor as products between permutations, in place."""
    constant = constants(module)
    for node in list(module.graph.nodes):
        factors: Any = node.args[1] if node.target is aten.einsum.default and len(node.args) == 2 else ()
        if len(factors) != 2:
            continue
        left, right = factors
        if left in constant or right not in constant or not has_sizes(left, right):
            continue
        axes = _axes(node.args[0], left, right)
        if axes is not None:
            _split(node, *axes)
    module.recompile()


def _axes(equation: Any, left: Node, right: Node) -> tuple[str, str, str, str] | None:
    """Axes of an equation: of the left factor, of the right one, and of the result, and those summed.

    None for what is no matrix product: axes of one factor alone that are summed, diagonals, ellipses.
    """
    terms, _, result = equation.replace(" ", "").partition("->")
    first, _, second = terms.partition(",")
    names = (first, second, result)
    if not result or any(not name.isalpha() or len(set(name)) < len(name) for name in names):
        return None
    if (len(first), len(second)) != (left.meta["val"].dim(), right.meta["val"].dim()):
        return None
    summed = "".join(axis for axis in first if axis in second and axis not in result)
    alone = {axis for axis in first + second if axis not in result} - set(summed)
    return None if alone or not summed else (first, second, result, summed)


def _split(node: Node, first: str, second: str, result: str, summed: str) -> None:
    factors: Any = node.args[1]
    left, right = factors
    sizes = dict(zip(first + second, (*left.meta["val"].shape, *right.meta["val"].shape), strict=True))
    batch = "".join(axis for axis in second if axis in first and axis in result)
    rows = "".join(axis for axis in first if axis not in batch + summed)
    columns = "".join(axis for axis in second if axis not in batch + summed)

    def size(axes: str) -> int:
        return prod(sizes[axis] for axis in axes)

    def stacked(factor: Node, names: str, order: str, shape: list[int]) -> Node:
        permuted = call_before(node, aten.permute.default, factor, [names.index(axis) for axis in order])
        return call_before(node, aten.reshape.default, permuted, shape)

    lead = [size(batch)] if batch else []
    a = stacked(left, first, batch + rows + summed, [*lead, size(rows), size(summed)])
    b = stacked(right, second, batch + summed + columns, [*lead, size(summed), size(columns)])
    product = call_before(node, aten.bmm.default if batch else aten.mm.default, a, b)
    order = batch + rows + columns
    spread = call_before(node, aten.reshape.default, product, [sizes[axis] for axis in order])
    final = call_before(node, aten.permute.default, spread, [order.index(axis) for axis in result])
    for each in (a, b, product, spread, final):
        located(each, node)
    node.replace_all_uses_with(final)
    node.graph.erase_node(node)


def has_sizes(*nodes: Node) -> bool:
    """True if no axis of these values is free."""
    return all(isinstance(size, int) for node in nodes for size in node.meta["val"].shape)


def located(new: Node, node: Node) -> Node:
    """Give `new` the module and the source line of `node`, in place, and return it."""
    new.meta |= {key: node.meta[key] for key in ("nn_module_stack", "stack_trace") if key in node.meta}
    return new
