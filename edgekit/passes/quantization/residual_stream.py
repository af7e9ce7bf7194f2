"""Residual stream of a transformer: sums that only normalizations read, and that stay in float."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch.fx import Graph, Node

aten = torch.ops.aten
NORMS = {aten.layer_norm.default, aten.native_layer_norm.default, aten.rms_norm.default}
"""Normalizations, which every runtime computes in float."""
SUMS = {aten.add.Tensor, aten.add_.Tensor, aten.cat.default}
MOVES = {
    aten.clone.default,
    aten.contiguous.default,
    aten.dropout.default,
    aten.dropout_.default,
    aten.select.int,
    aten.slice.Tensor,
}


def residual_stream(graph: Graph) -> frozenset[Node]:
    """Additions, concatenations and moves whose values reach normalizations and other members only.

    Eight bits for such a sum lose what is small beside its largest value: the class token and the answer of a block
    beside patches, the more the larger the pixels are (docs/preprocessing.md). And nothing is gained, as no integer
    kernel reads it.
    """
    members: set[Node] = set()
    for node in reversed(graph.nodes):
        reads = all(user in members or user.target in NORMS for user in node.users)
        if node.users and reads and node.target in SUMS | MOVES:
            members.add(node)
    return frozenset(members)
