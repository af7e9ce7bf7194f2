"""Folding of lookups whose indices are constant, such as embeddings of positions: their rows become a constant.

The rows that no index names go, and no runtime looks them up at every inference.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import GraphModule, Node

from edgekit.frontend.computed_weights import constant_value, constants, replace_weights

aten = torch.ops.aten
LOOKUPS = {aten.embedding.default, aten.index_select.default, aten.index.Tensor}
"""Operators that look rows up in their first argument."""


def fold_lookups(module: GraphModule) -> bool:
    """Replace, in place, lookups by constant indices in a constant by their rows. Returns whether there was one.

    A lookup that repeats rows stays, if its result has more elements than the table: a bias for each pair of positions.
    """
    constant = constants(module)
    chosen = [node for node in module.graph.nodes if node.target in LOOKUPS and node in constant and _shrinks(node)]
    values: dict[Node, Any] = {}
    rows = {node: constant_value(module, node, values).detach().contiguous() for node in chosen}
    replace_weights(module, rows, {node: f"constant_rows_{number}" for number, node in enumerate(rows)})
    return bool(rows)


def _shrinks(node: Node) -> bool:
    """True for a lookup of floats with no more elements than its table."""
    table: Any = node.args[0]
    source, result = table.meta["val"], node.meta["val"]
    return bool(result.is_floating_point() and result.numel() <= source.numel())
