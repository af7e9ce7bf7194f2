"""Averages over height and width as onnxruntime has an integer kernel for them: it keeps both axes."""

from __future__ import annotations

import torch
from torch import fx

aten = torch.ops.aten


def keep_averaged_axes(model: fx.GraphModule) -> fx.GraphModule:
    """Drop height and width after an average over them, not in it, in place."""
    for node in list(model.graph.nodes):
        if node.target is aten.mean.dim and not node.kwargs:
            _keep(node, *node.args)
    model.recompile()
    return model


def _keep(node: fx.Node, source: fx.Node, axes: list[int] | None, keeps: bool = False) -> None:
    value = source.meta["val"]
    if keeps or value.dim() != 4 or sorted(axis % 4 for axis in axes or ()) != [2, 3]:
        return
    with node.graph.inserting_after(node):
        flat = node.graph.call_function(aten.flatten.using_ints, (node, 1))
    flat.meta = dict(node.meta)
    node.replace_all_uses_with(flat, lambda user: user is not flat)
    node.args = (source, [2, 3], True)
    node.meta["val"] = value.mean((2, 3), keepdim=True)
