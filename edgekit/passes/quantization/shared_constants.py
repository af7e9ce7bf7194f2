"""Constants that several layers share, as a quantizer annotates them: layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch.fx import GraphModule, Node

from edgekit.passes.scale_folding import WEIGHTED

WEIGHT, BIAS = 1, 2
"""Indices of a layer's constants among its arguments."""


def with_unshared_reads(module: GraphModule, places: Sequence[int] = (WEIGHT, BIAS)) -> GraphModule:
    """Give every layer its own nodes that read shared constants, in place.

    places: constants of a layer that it is done for. A bias is rounded to the scale of its layer's input: one node has
    the scale of one layer, and is wrong for another by the ratio of the two.
    """
    for layer in list(module.graph.nodes):
        for place in places if layer.target in WEIGHTED else ():
            source = layer.args[place] if place < len(layer.args) else None
            if isinstance(source, Node) and source.op == "get_attr" and len(source.users) > 1:
                with layer.graph.inserting_before(layer):
                    layer.update_arg(place, layer.graph.node_copy(source))
    module.recompile()
    return module
