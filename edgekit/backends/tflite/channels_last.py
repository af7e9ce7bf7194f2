"""Channels-last layout for LiteRT: means are rewritten so that the converter adds no transposes around them."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

aten = torch.ops.aten
LAST = [0, 2, 3, 1]
SPATIAL = ({2, 3}, {-2, -1})


def average_channels_last(model: fx.GraphModule) -> fx.GraphModule:
    """Take means over height and width on a channels-last view, in place.

    The converter turns regions of the graph to channels last and transposes back at their ends, as at a mean that drops
    its axes. The permutation added here cancels that transpose.
    """
    for node in list(model.graph.nodes):
        if node.target is aten.mean.dim:
            _average(node, *node.args)
    model.recompile()
    return model


def _average(node: fx.Node, source: Any, axes: Any, keeps_axes: bool = False) -> None:
    if source.meta["val"].dim() != 4 or keeps_axes or set(axes or ()) not in SPATIAL:
        return
    with node.graph.inserting_before(node):
        last = node.graph.call_function(aten.permute.default, (source, LAST))
    last.meta = {"val": source.meta["val"].permute(LAST), "nn_module_stack": node.meta.get("nn_module_stack", {})}
    node.args = (last, [1, 2])
