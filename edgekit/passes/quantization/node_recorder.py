"""torch.fx interpreters that record the inputs and results of nodes, or run several batches in lockstep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

if TYPE_CHECKING:
    from edgekit.passes.base import Sample

See = Callable[[Tensor, Tensor], None]
"""Callback that receives the first argument of a node, and its result."""


class NodeRecorder(Interpreter):
    """Interpreter that calls back with the first input and the result of each node named in `callbacks`."""

    def __init__(self, module: GraphModule, callbacks: Mapping[str, See]) -> None:
        super().__init__(module)
        self._callbacks = callbacks

    def run_node(self, node: Node) -> Any:
        result = super().run_node(node)
        see = self._callbacks.get(node.name)
        if see:
            source = node.args[0]
            assert isinstance(source, Node)
            see(self.env[source], result)
        return result


def watch(module: GraphModule, batches: Sequence[Sample], callbacks: Mapping[str, See]) -> None:
    """Run every batch through `module`, and call the callbacks, by node name."""
    recorder = NodeRecorder(module, callbacks)
    with torch.no_grad():
        for batch in batches:
            recorder.run(*batch)


def run_in_lockstep(
    module: GraphModule, batches: Sequence[Sample], change: Callable[[str, list[Any]], list[Any]]
) -> None:
    """Run all batches together, node by node.

    change: receives a node's name and its results, one a batch, and returns those that later nodes read. Results are
    freed after their last use.
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
