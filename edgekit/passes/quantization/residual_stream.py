"""Residual streams: sums that only normalizations read, or that are the network's answer. They stay in float."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch.fx import Graph, Node

aten = torch.ops.aten
NORMS: set[object] = {aten.layer_norm.default, aten.native_layer_norm.default, aten.rms_norm.default}
"""Normalizations, which every runtime computes in float."""
SUMS: set[object] = {aten.add.Tensor, aten.add_.Tensor, aten.cat.default}
MOVES: set[object] = {
    aten.clone.default,
    aten.contiguous.default,
    aten.dropout.default,
    aten.dropout_.default,
    aten.select.int,
    aten.slice.Tensor,
}
ARITHMETIC: set[object] = {aten.mean.dim, aten.mul.Tensor, aten.mul_.Tensor, aten.sub.Tensor, aten.sum.dim_IntList}
"""Arithmetic without weights, as of an answer that is the mean of squares."""
RESHAPES: set[object] = {
    aten.flatten.using_ints,
    aten.permute.default,
    aten.pixel_shuffle.default,
    aten.reshape.default,
    aten.squeeze.dim,
    aten.transpose.int,
    aten.unsqueeze.default,
    aten.view.default,
}
"""Operators that may stand between a sum and the output, as between the sum and the classes of a detector."""
CLAMPS: set[object] = {
    aten.clamp.default,
    aten.hardtanh.default,
    aten.hardtanh_.default,
    aten.relu.default,
    aten.relu_.default,
}
"""Clamps that may stand between a sum and the output, as behind the sum of a picture and its details."""


def residual_stream(graph: Graph, joined_answers: bool = True) -> frozenset[Node]:
    """Additions and concatenations, and moves of these, whose values no integer kernel reads.

    They reach normalizations, the outputs of the network, and other members only. Eight bits for such a sum lose what
    is small beside its largest value: the class token beside patches (docs/preprocessing.md), the details beside the
    picture that super-resolution adds them to, scores beside boxes. And nothing is gained, as the sum is made float
    again at once. Arithmetic on the way to the outputs is treated likewise: in eight bits the mean of squares could not
    exceed the largest of the calibration set. joined_answers: False leaves out concatenations that reach the outputs.
    """
    sums = SUMS if joined_answers else SUMS - {aten.cat.default}
    return frozenset(_members(graph, NORMS, SUMS | MOVES)) | frozenset(_answers(graph, sums))


def _answers(graph: Graph, sums: set[object]) -> set[Node]:
    """Members that reach outputs only, without the moves that have no sum or arithmetic before them."""
    opening = sums | ARITHMETIC
    members = _members(graph, {"output"}, opening | MOVES | RESHAPES | CLAMPS)
    summed: set[Node] = set()
    for node in graph.nodes:
        if node in members and (node.target in opening or any(source in summed for source in node.all_input_nodes)):
            summed.add(node)
    return summed


def _members(graph: Graph, readers: set[object], kinds: set[object]) -> set[Node]:
    """Nodes of these kinds that only `readers` and other members read."""
    members: set[Node] = set()
    for node in reversed(graph.nodes):
        reads = all(user in members or user.target in readers for user in node.users)
        if node.users and reads and node.target in kinds:
            members.add(node)
    return members
