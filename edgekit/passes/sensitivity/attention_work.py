"""Multiply-accumulates of attention, which static int8 leaves in float: a mask leaves no step for its scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edgekit.passes.module_patterns import OPERATOR, module_path, operator
from edgekit.passes.sensitivity.grouping import WEIGHTED

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

ATTENTION = "scaled_dot_product_attention"


def attention_shares(floating: GraphModule) -> dict[str, float]:
    """Share of each attention in the multiply-accumulates of attention and of layers with weights, in [0, 1].

    floating: the program before it is prepared. By name, as patterns of `[quantize.overrides]`; attention outside of
    any module has no pattern of its own, and is `:scaled_dot_product_attention`.
    """
    work: dict[str, int] = {}
    total = 0
    for node in floating.graph.nodes:
        if node.op != "call_function" or len(node.all_input_nodes) < 2:
            continue
        if operator(node) in WEIGHTED and node.all_input_nodes[1].op == "get_attr":
            total += _layer_macs(node)
        elif operator(node) == ATTENTION:
            name = f"{module_path(node)}{OPERATOR}{ATTENTION}"
            macs = _attention_macs(node)
            work[name] = work.get(name, 0) + macs
            total += macs
    return {name: macs / max(total, 1) for name, macs in work.items()}


def _layer_macs(node: Node) -> int:
    weight = node.all_input_nodes[1].meta["val"]
    inputs = weight.shape[1 if "transpose" in operator(node) else 0]
    return int(node.meta["val"].numel()) * int(weight.numel() // max(inputs, 1))


def _attention_macs(node: Node) -> int:
    """Work of the scores, [… queries, keys], and of the product with the values."""
    query, key = (source.meta["val"].shape for source in node.args[:2])  # type: ignore[union-attr]
    output = node.meta["val"].shape
    keys = int(key[-2])
    return keys * (math.prod(map(int, query)) + math.prod(map(int, output)))
