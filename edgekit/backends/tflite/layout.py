"""LiteRT computes channels last; this keeps the converter from transposing where torch counts channels first.

The converter turns regions of a graph to channels last and puts a transpose wherever one begins and ends. Means that
drop their axes and constant pads end a region. The permutations written here cancel those transposes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

aten = torch.ops.aten
TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
SPATIAL = ({2, 3}, {-2, -1})
PADS = {aten.pad.default, aten.constant_pad_nd.default}


def channels_last(model: fx.GraphModule) -> fx.GraphModule:
    """Rewrite the means over height and width, and the constant pads, of 4-d tensors, in place."""
    for node in list(model.graph.nodes):
        if node.target is aten.mean.dim:
            _average_last(node, *node.args)
        elif node.target in PADS:
            _pad_last(node, *node.args)
    model.recompile()
    return model


def _average_last(node: fx.Node, source: Any, axes: Any, keeps_axes: Any = False) -> None:
    if source.meta["val"].dim() != 4 or keeps_axes or set(axes or ()) not in SPATIAL:
        return
    node.args = (_permuted(source, TO_LAST, node), [1, 2])


def _pad_last(node: fx.Node, source: Any, pads: Any, *rest: Any) -> None:
    """`pads` counts from the last axis: before and after the width, the height, the channels, the batch."""
    if source.meta["val"].dim() != 4 or (rest and isinstance(rest[0], str) and rest[0] != "constant"):
        return
    width, height, channels, batch = ([*pads, *[0] * 8][i : i + 2] for i in range(0, 8, 2))
    node.args = (_permuted(source, TO_LAST, node), [*channels, *width, *height, *batch], *rest)
    node.meta["val"] = node.meta["val"].permute(TO_LAST)
    users = list(node.users)
    first = _permuted(node, TO_FIRST, node)
    for user in users:
        user.replace_input_with(node, first)


def _permuted(source: fx.Node, axes: list[int], of: fx.Node) -> fx.Node:
    """`source` with its axes in another order, as a part of the module that `of` is in."""
    graph = source.graph
    with graph.inserting_after(source) if source is of else graph.inserting_before(of):
        node = graph.call_function(aten.permute.default, (source, axes))
    node.meta = {"val": source.meta["val"].permute(axes), "nn_module_stack": of.meta.get("nn_module_stack", {})}
    return node
