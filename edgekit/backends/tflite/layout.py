"""LiteRT computes channels last; this keeps the converter from transposing where torch counts channels first.

The converter turns regions of a graph to channels last and puts a transpose wherever one begins and ends. Means that
drop their axes and constant pads end a region. The permutations written here cancel those transposes.
"""

from __future__ import annotations

import torch
from torch import fx

aten = torch.ops.aten
TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
SPATIAL = ({2, 3}, {-2, -1})
PADS = {aten.pad.default, aten.constant_pad_nd.default}


def channels_last(model: fx.GraphModule) -> fx.GraphModule:
    """Rewrite the means over height and width, and the constant pads, of 4-d tensors, in place."""
    for node in list(model.graph.nodes):
        if _is_spatial_mean(node):
            node.args = (_permuted(node.args[0], TO_LAST, before=node), [1, 2], *node.args[2:])
        elif _is_constant_pad(node):
            _pad_last(node)
    model.recompile()
    return model


def _is_spatial_mean(node: fx.Node) -> bool:
    if node.target is not aten.mean.dim or _rank(node) != 4:
        return False
    keeps_axes = len(node.args) > 2 and node.args[2]
    return set(node.args[1]) in SPATIAL and not keeps_axes


def _is_constant_pad(node: fx.Node) -> bool:
    if node.target not in PADS or _rank(node) != 4:
        return False
    mode = node.args[2] if node.target is aten.pad.default and len(node.args) > 2 else "constant"
    return mode == "constant"


def _pad_last(node: fx.Node) -> None:
    pads = [*node.args[1], *[0] * (8 - len(node.args[1]))]
    width, height, channel, batch = (pads[i : i + 2] for i in range(0, 8, 2))
    source = node.args[0]
    node.args = (_permuted(source, TO_LAST, before=node), [*channel, *width, *height, *batch], *node.args[2:])
    node.meta["val"] = node.meta["val"].permute(TO_LAST)
    users = list(node.users)
    first = _permuted(node, TO_FIRST, before=node.next)
    first.meta["nn_module_stack"] = node.meta.get("nn_module_stack", {})
    for user in users:
        user.replace_input_with(node, first)


def _permuted(source: fx.Node, axes: list[int], before: fx.Node) -> fx.Node:
    graph = source.graph
    with graph.inserting_before(before):
        node = graph.call_function(aten.permute.default, (source, axes))
    node.meta = {"val": source.meta["val"].permute(axes), "nn_module_stack": before.meta.get("nn_module_stack", {})}
    return node


def _rank(node: fx.Node) -> int:
    return node.args[0].meta["val"].dim()
