"""Functionalization: in-place writes become new values.

Quantization puts a rounding between a value and each of its readers: a write into a view of the value, or into an
input, would then reach none of them.
"""

from __future__ import annotations

import operator
import warnings
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, GraphModule, Node

aten = torch.ops.aten
NORM = aten._native_batch_norm_legit_no_training.default


def writes_through(graph: Graph) -> bool:
    """True if a node writes into a view of another value, into an input, a copy of one, or a constant."""
    return any(_is_shared(_written(node)) for node in graph.nodes if is_write(node))


def functional(exported: ExportedProgram) -> GraphModule:
    """Module of the same function without in-place writes, by torch's own functionalization."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch warns of a deprecated call that is its own
        module: GraphModule = exported.run_decompositions({}).module()
    nodes = list(module.graph.nodes)
    writes = any(map(is_write, nodes))  # into buffers, after all else
    for node in nodes:
        if node.target is NORM:
            _restore_norm(node)
        elif node.target is aten.clone.default and not node.kwargs and not writes:
            # Nothing writes into the original or the copy: they are the same value.
            node.replace_all_uses_with(node.args[0])
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def is_write(node: Node) -> bool:
    """True if the node's operator writes into one of its arguments."""
    schema = getattr(node.target, "_schema", None)
    return node.op == "call_function" and schema is not None and bool(schema.is_mutable)


def is_view(node: Node) -> bool:
    """True if the node's value may share the memory of its first argument."""
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or schema is None:
        return False
    return any(result.alias_info is not None for result in schema.returns)


def _written(node: Node) -> Node:
    """Value that a write changes. Earlier writes are looked through: they return the value into which they wrote."""
    source: Any = node.args[0] if node.args else node.kwargs["self"]
    while is_write(source):
        source = source.args[0]
    assert isinstance(source, Node)
    return source


def _is_shared(source: Node) -> bool:
    return source.op in ("placeholder", "get_attr") or is_view(source) or source.target is aten.clone.default


def _restore_norm(node: Node) -> None:
    """Replace a functionalized batch norm by `aten.batch_norm`, the operator that the passes know."""
    source, weight, bias, mean, variance, momentum, eps = node.args
    with node.graph.inserting_before(node):
        arguments = (source, weight, bias, mean, variance, False, momentum, eps, False)
        norm = node.graph.call_function(aten.batch_norm.default, arguments)
    norm.meta = {**node.meta, "val": node.meta["val"][0]}
    for user in list(node.users):
        if user.target is operator.getitem and user.args[1] == 0:
            user.replace_all_uses_with(norm)
