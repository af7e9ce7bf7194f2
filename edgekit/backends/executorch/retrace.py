"""Retraces of XNNPACK's passes: a graph that the last one left, and nobody changed since, is not traced again.

executorch 1.5.1 runs 17 passes over each partition, and 12 of them trace it anew by fake tensors, so that shapes and
names are right, whether they changed something or not: a tenth of the CPU of a lowering.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from torch.fx import GraphModule

HOOKS = (
    *("ExportInterpreter", "ExportTracer", "_fx", "call_cond", "call_delegate", "call_getitem", "call_map"),
    *("call_operator", "call_scan", "call_submodule", "call_sym", "call_while", "inputs", "on_attr", "output"),
    *("placeholder", "should_preserve_symbolic_input_metadata"),
)
"""Methods that a pass overrides to have a retrace change the graph."""


@dataclass(frozen=True)
class GraphSnapshot:
    """Graph as a retrace left it."""

    nodes: tuple[tuple[object, ...], ...]
    """Operator, name and arguments of each node, and the identity of its fake tensor."""
    tensors: tuple[object, ...] = field(compare=False)
    """The fake tensors: while they are held, no other has their identity."""


@contextlib.contextmanager
def without_idle_retraces() -> Iterator[None]:
    """Leave out retraces by passes that change nothing by them, of graphs that are as the last retrace left them."""
    from executorch.exir.pass_base import ExportPass
    from torch.fx.passes.infra.pass_base import PassResult

    left: WeakKeyDictionary[GraphModule, GraphSnapshot] = WeakKeyDictionary()
    retrace = ExportPass.call

    def call(self: Any, module: GraphModule) -> Any:
        kind = type(self)
        if all(getattr(kind, name) is getattr(ExportPass, name) for name in HOOKS):
            before = left.get(module)
            if before is not None and before == snapshot(module):
                return PassResult(module, False)
        result = retrace(self, module)
        after = snapshot(result.graph_module)
        if after is not None:
            left[result.graph_module] = after
        return result

    with patch.object(ExportPass, "call", call):
        yield


def snapshot(module: GraphModule) -> GraphSnapshot | None:
    """Snapshot of what a retrace reads of a graph; None if the graph has attributes, or graphs of its own."""
    nodes, below = tuple(module.graph.nodes), tuple(module.children())
    if below or any(node.op not in ("placeholder", "call_function", "output") for node in nodes):
        return None
    tensors = tuple(node.meta.get("val") for node in nodes)
    read = (
        (node.op, node.name, node.target, repr(node.args), repr(node.kwargs), id(tensor))
        for node, tensor in zip(nodes, tensors, strict=True)
    )
    return GraphSnapshot(tuple(read), tensors)
