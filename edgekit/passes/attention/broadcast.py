"""Broadcasts that nothing needs: `expand` to the shape that is there, or that the operator behind it makes itself.

No delegate takes an `expand`, and a kernel outside of delegates copies the whole result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import fx

from edgekit.passes.attention.insertion import shape

aten = torch.ops.aten
EXPANDS = {aten.expand.default, aten.expand_as.default, aten.broadcast_to.default}
ELEMENTWISE = {aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor, aten.maximum.default}
"""Operators of two operands that broadcast them to one shape."""


def drop_expands(module: fx.GraphModule) -> None:
    """Remove each `expand` that does not change the shape, or that its readers can do without, in place."""
    for node in list(module.graph.nodes):
        if node.target not in EXPANDS or shape(node) is None:
            continue
        source: Any = node.args[0]
        if shape(source) == shape(node) or (node.users and all(_broadcasts(user, node, source) for user in node.users)):
            node.replace_all_uses_with(source)
            module.graph.erase_node(node)
    module.recompile()


def _broadcasts(reader: fx.Node, expanded: fx.Node, source: fx.Node) -> bool:
    """True if the reader's result is of the same shape with the operand before its expansion."""
    if reader.target not in ELEMENTWISE or shape(reader) is None:
        return False
    shapes = [
        (shape(source) if argument is expanded else shape(argument)) if isinstance(argument, fx.Node) else ()
        for argument in reader.args[:2]
    ]
    known = [sizes for sizes in shapes if sizes is not None]
    return len(known) == 2 and np.broadcast_shapes(*known) == shape(reader)
