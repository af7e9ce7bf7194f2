"""Permutations of axes that follow each other, as one: those of the keys, transposed for heads and for the product.

Integers are permuted, not floats, where quantize and dequantize stand between: these round every element alike.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from edgekit.passes.attention.insertion import value

aten = torch.ops.aten
PERMUTATIONS = {aten.transpose.int, aten.permute.default}
ROUNDINGS = {
    "quantized_decomposed.quantize_per_tensor.default",
    "quantized_decomposed.dequantize_per_tensor.default",
}
"""Operators that treat every element alike, by name: they are registered only where a quantizer was imported."""


def join_permutations(module: fx.GraphModule) -> None:
    """Join each permutation that only another one reads with that one, roundings between them or not, in place."""
    for node in list(module.graph.nodes):
        first, between = _before(node)
        if first is None:
            continue
        joined = [axes(first)[axis] for axis in axes(node)]
        first.target, first.args = aten.permute.default, (first.args[0], joined)
        for each in (first, *between):
            each.meta["val"] = _operand(first).permute(joined) if each is first else _rounded(each)
        node.replace_all_uses_with(node.args[0])
        module.graph.erase_node(node)
    module.recompile()


def axes(node: fx.Node) -> list[int]:
    """Axis of the operand that each axis of the result of a permutation is."""
    rank = value(node).dim()
    arguments: Any = node.args
    if node.target is aten.permute.default:
        return [axis % rank for axis in arguments[1]]
    order = list(range(rank))
    one, other = (axis % rank for axis in arguments[1:3])
    order[one], order[other] = order[other], order[one]
    return order


def _before(node: fx.Node) -> tuple[fx.Node | None, list[fx.Node]]:
    """Permutation that only `node`, a permutation itself, reads, with the roundings between, the earliest first."""
    between: list[fx.Node] = []
    if node.target not in PERMUTATIONS:
        return None, between
    source: Any = node.args[0]
    while str(source.target) in ROUNDINGS and len(source.users) == 1:
        between.insert(0, source)
        source = source.args[0]
    return (source if source.target in PERMUTATIONS and len(source.users) == 1 else None), between


def _rounded(rounding: fx.Node) -> Any:
    """Value of a rounding whose operand was permuted: of its dtype before, and the operand's shape."""
    return torch.empty_like(_operand(rounding), dtype=value(rounding).dtype)


def _operand(node: fx.Node) -> Any:
    """Value of the first operand."""
    operand: Any = node.args[0]
    return value(operand)
