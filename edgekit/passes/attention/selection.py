"""Selections by a condition (`where`, `masked_fill`) as products with 1 and 0, which delegates take.

The condition is made float once, for all layers that share it. A product with 1 or 0 and a sum with 0 are exact, if no
operand is infinite: a selection whose operands may be so is left as it is. Minus infinity before a softmax becomes the
bias of masked scores: their weights are 0 either way.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from edgekit.passes.attention.additive_mask import lowest
from edgekit.passes.attention.infinity import constant, may_be_infinite
from edgekit.passes.attention.insertion import Insertion, arguments, shape, value

aten = torch.ops.aten
SELECTIONS = {
    aten.where.self: ("condition", "self", "other"),
    aten.where.ScalarSelf: ("condition", "self", "other"),
    aten.where.ScalarOther: ("condition", "self", "other"),
    aten.masked_fill.Scalar: ("mask", "value", "self"),
    aten.masked_fill.Tensor: ("mask", "value", "self"),
}
"""Names of the condition, of what is selected where it holds, and of what is selected elsewhere."""
Factors = tuple[fx.Node, fx.Node]


def decompose_selections(module: fx.GraphModule) -> None:
    """Replace selections between finite floats of fixed shape by `a * f + b * (1 - f)`, in place."""
    factors: dict[fx.Node, Factors] = {}
    for node in list(module.graph.nodes):
        if node.target not in SELECTIONS or not _is_float(node) or constant(module, node) is not None:
            continue
        condition, *branches = (arguments(node)[name] for name in SELECTIONS[node.target])
        branches = [_finite(module, branch, node) for branch in branches]
        if any(branch is None for branch in branches) or value(condition).dtype is not torch.bool:
            continue
        if condition not in factors:
            factors[condition] = _factors(condition, value(node).dtype)
        before = Insertion(node)
        parts = [_part(before, branch, factor) for branch, factor in zip(branches, factors[condition], strict=True)]
        total = before.call(aten.add.Tensor, *parts)
        if shape(total) != shape(node):
            continue
        node.replace_all_uses_with(total)
        module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    module.recompile()


def _is_float(node: fx.Node) -> bool:
    return value(node).dtype is torch.float32 and shape(node) is not None


def _finite(module: fx.GraphModule, branch: Any, node: fx.Node) -> fx.Node | float | None:
    """Branch as a node or a number, where it is finite for sure; None otherwise."""
    stored = constant(module, branch) if isinstance(branch, fx.Node) else branch
    if stored is not None and (not isinstance(stored, torch.Tensor) or stored.numel() == 1):
        number = float(stored)
        if number == -math.inf and node.users and all(is_softmax(user) for user in node.users):
            number = lowest(value(node).dtype)
        return number if math.isfinite(number) else None
    return None if not _is_float_tensor(branch) or may_be_infinite(module, branch) else branch


def _is_float_tensor(branch: fx.Node) -> bool:
    return value(branch).dtype is torch.float32


def is_softmax(node: fx.Node) -> bool:
    """True if the node computes a softmax."""
    return node.target in (aten.softmax.int, aten._softmax.default)


def _factors(condition: fx.Node, dtype: torch.dtype) -> Factors:
    """Condition as 1 and 0, and its complement, behind the condition."""
    following = condition.next
    while following.op in ("placeholder", "get_attr"):
        following = following.next
    before = Insertion(following)
    factor = before.call(aten.to.dtype, condition, dtype)
    return factor, before.call(aten.sub.Tensor, before.constant(torch.ones(1, dtype=dtype)), factor)


def _part(before: Insertion, branch: Any, factor: fx.Node) -> fx.Node:
    if not isinstance(branch, fx.Node):
        branch = before.constant(torch.full((1,), branch, dtype=value(factor).dtype))
    return before.call(aten.mul.Tensor, branch, factor)
