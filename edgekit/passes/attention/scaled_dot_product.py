"""Attention as two matrix products and a plain softmax.

torch decomposes `scaled_dot_product_attention` with a safe softmax, whose comparisons no delegate takes: six operators
a layer outside of it. And the decomposition has another memory layout than the fused operator that was traced, so that
a view behind it cannot be made (torch 2.13: "Cannot view a tensor with shape … and strides …").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from edgekit.passes.attention.additive_mask import AdditiveMask, additive_mask, causal_mask
from edgekit.passes.attention.insertion import Insertion, arguments, shape, value

aten = torch.ops.aten
ATTENTION = aten.scaled_dot_product_attention.default


def has_attention(graph: fx.Graph) -> bool:
    """True if the graph calls torch's attention."""
    return any(node.target is ATTENTION for node in graph.nodes)


def decompose_attention(module: fx.GraphModule, chosen: Callable[[fx.Node], bool] = lambda _: True) -> None:
    """Replace attention by matrix products, in place: softmax(query @ key.T * scale + bias) @ value.

    Attention with dropout, and causal attention of a free length, stay as they are. chosen: true for the calls that are
    replaced.
    """
    masks: dict[tuple[fx.Node, torch.dtype], AdditiveMask] = {}
    causal: dict[tuple[int, int, torch.dtype], AdditiveMask] = {}
    for node in list(module.graph.nodes):
        if node.target is not ATTENTION or not chosen(node):
            continue
        call, dtype = arguments(node), value(node).dtype
        lengths = (value(call["query"]).shape[-2], value(call["key"]).shape[-2])
        if call["dropout_p"] or not _is_regular(call):
            continue
        mask = call["attn_mask"]
        if mask is not None and (mask, dtype) not in masks:
            # Behind the mask, not before this layer: all layers read the result.
            masks[mask, dtype] = additive_mask(module, mask, _behind(mask), dtype)
        if call["is_causal"]:
            key = (*lengths, dtype)
            first = next(each for each in module.graph.nodes if each.op not in ("placeholder", "get_attr"))
            causal[key] = causal.get(key) or causal_mask(Insertion(first), *lengths, dtype)
            additive = causal[key]
        else:
            additive = masks[mask, dtype] if mask is not None else AdditiveMask(None)
        node.replace_all_uses_with(_products(Insertion(node), call, additive))
        module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    module.recompile()


def _is_regular(call: dict[str, Any]) -> bool:
    """True unless the rewrite needs a length that is free."""
    needs = (["query", "key"] if call["is_causal"] else []) + (["query", "key", "value"] if _is_grouped(call) else [])
    return all(shape(call[name]) is not None for name in needs)


def _is_grouped(call: dict[str, Any]) -> bool:
    """True for grouped-query attention: several heads of the query share one of the key."""
    return bool(call["enable_gqa"]) and value(call["query"]).shape[-3] != value(call["key"]).shape[-3]


def _behind(mask: fx.Node) -> Insertion:
    following = mask.next
    while following.op in ("placeholder", "get_attr"):
        following = following.next
    return Insertion(following)


def _products(before: Insertion, call: dict[str, Any], mask: AdditiveMask) -> fx.Node:
    query, key, values = call["query"], call["key"], call["value"]
    size, dtype = value(query).shape[-1], value(query).dtype
    scale = 1 / math.sqrt(size) if call["scale"] is None else call["scale"]
    groups = value(query).shape[-3] // value(key).shape[-3] if _is_grouped(call) else 1
    if scale != 1:
        query = before.call(aten.mul.Tensor, query, before.constant(torch.full((1,), scale, dtype=dtype)))
    scores = _grouped_product(before, query, before.call(aten.transpose.int, key, -2, -1), groups)
    if mask.bias is not None:
        scores = before.call(aten.add.Tensor, scores, mask.bias)
    weights = before.call(aten.softmax.int, scores, -1)
    if mask.factor is not None:
        weights = before.call(aten.mul.Tensor, weights, mask.factor)
    return _grouped_product(before, weights, values, groups)


def _grouped_product(before: Insertion, left: fx.Node, right: fx.Node, groups: int) -> fx.Node:
    """Product of matrices, where `groups` consecutive ones of the left share one of the right: one with all rows."""
    if groups == 1:
        return before.call(aten.matmul.default, left, right)
    *batch, heads, rows, columns = value(left).shape
    joined = before.call(aten.reshape.default, left, [*batch, heads // groups, groups * rows, columns])
    product = before.call(aten.matmul.default, joined, right)
    return before.call(aten.reshape.default, product, [*batch, heads, rows, value(right).shape[-1]])
