"""Running a program while looking at what its nodes take and give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

if TYPE_CHECKING:
    from edgekit.passes.base import Sample

See = Callable[[Tensor, Tensor], None]
"""Told the first argument of a node and its result."""


class NodeRecorder(Interpreter):
    """Runs a program; of the nodes named in `seen`, tells what went in and what came out."""

    def __init__(self, module: GraphModule, seen: Mapping[str, See]) -> None:
        super().__init__(module)
        self._seen = seen

    def run_node(self, node: Node) -> Any:
        result = super().run_node(node)
        see = self._seen.get(node.name)
        if see:
            source = node.args[0]
            assert isinstance(source, Node)
            see(self.env[source], result)
        return result


def watch(module: GraphModule, batches: Sequence[Sample], seen: Mapping[str, See]) -> None:
    """Run every batch through `module`."""
    watching = NodeRecorder(module, seen)
    with torch.no_grad():
        for batch in batches:
            watching.run(*batch)


def run_in_lockstep(
    module: GraphModule, batches: Sequence[Sample], change: Callable[[str, list[Any]], list[Any]]
) -> None:
    """Run all batches together, node by node: `change` is given a node's name and its results, and may replace them.

    What comes after a node sees what `change` made of it. Results are let go after their last use.
    """
    lanes = [Interpreter(module) for _ in batches]
    for lane, batch in zip(lanes, batches, strict=True):
        lane.args_iter = iter(batch)
    last_uses: dict[Node, list[Node]] = lanes[0].user_to_last_uses if lanes else {}
    with torch.no_grad():
        for node in module.graph.nodes:
            results = change(node.name, [lane.run_node(node) for lane in lanes])
            for lane, result in zip(lanes, results, strict=True):
                lane.env[node] = result
                for used in last_uses.get(node, ()):
                    del lane.env[used]
