"""Copies of shared roundings of activations, so that each layer of a dynamic program rounds its own input.

XNNPACK computes a convolution of one pixel without a stride as a matrix product, with a scale for each pixel of its
rounded input, and any other convolution with one for the picture. Where two such layers read one rounded tensor, as
behind a bottleneck with stride, executorch 1.5.1 gives one of them the wrong scales (10 dB where 42 were right).
"""

from __future__ import annotations

import torch
from torch.export import ExportedProgram
from torch.fx import Node

from edgekit.frontend.canonical import exported_again

aten = torch.ops.aten


def with_unshared_activations(exported: ExportedProgram) -> ExportedProgram:
    """Give each convolution that shares a dynamically rounded input with another layer a rounding of its own.

    Returns `exported` itself if there is none. Linear layers go on sharing theirs, as those of attention do.
    """
    if not any(map(_rounding, exported.graph.nodes)):
        return exported
    module = exported.module()
    shared = [
        (nodes, reader)
        for nodes in map(_rounding, module.graph.nodes)
        if nodes and any(reader.target is not aten.linear.default for reader in nodes[-1].users)
        for reader in list(nodes[-1].users)[1:]
    ]
    for nodes, reader in shared:
        _copy(nodes, reader)
    if not shared:
        return exported
    module.recompile()
    return exported_again(module, exported)


def _copy(nodes: tuple[Node, ...], reader: Node) -> None:
    """Copy the nodes of a rounding for `reader`, one of those that read the last of them."""
    copies: dict[Node, Node] = {}
    with reader.graph.inserting_before(reader):
        for node in nodes:
            copies[node] = reader.graph.node_copy(node, lambda source: copies.get(source, source))
    reader.replace_input_with(nodes[-1], copies[nodes[-1]])


def _rounding(node: Node) -> tuple[Node, ...]:
    """Nodes that round an activation by the range it has at run time, of which `node` is the last; () for others."""
    if _name(node) != "dequantize_per_tensor":
        return ()
    quantized, scale, zero_point = node.args[:3]
    if not isinstance(quantized, Node) or not isinstance(scale, Node) or not isinstance(zero_point, Node):
        return ()
    (ranges,) = scale.all_input_nodes
    return (ranges, scale, zero_point, quantized, node) if _name(ranges) == "choose_qparams" else ()


def _name(node: Node) -> str:
    """Name of a quantizer's operator without its overload; empty for other nodes."""
    namespace, _, name = str(node.target).partition(".")
    return name.partition(".")[0] if namespace == "quantized_decomposed" else ""
