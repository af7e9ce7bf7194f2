"""Values behind the outputs of a program that are indices: of argmax, argsort, sort, top-k, and max over an axis."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from edgekit.backends.program_outputs import call_outputs
from edgekit.ir.index_order import IndexOrder
from edgekit.ir.program import Program
from edgekit.runner.model.tensors import Column

if TYPE_CHECKING:
    from torch.fx import Node

aten = torch.ops.aten
PAIRS: Mapping[object, int] = MappingProxyType(
    {
        aten.topk.default: 2,
        aten.sort.default: 1,
        aten.sort.stable: 2,
        aten.max.dim: 1,
        aten.min.dim: 1,
    }
)
"""Operators that give values and indices, with the place of the axis among their arguments."""
SINGLE: Mapping[object, int] = MappingProxyType(
    {aten.argmax.default: 1, aten.argmin.default: 1, aten.argsort.default: 1, aten.argsort.stable: 1}
)
"""Operators that give indices alone, likewise."""
REDUCING: frozenset[object] = frozenset({aten.argmax.default, aten.argmin.default, aten.max.dim, aten.min.dim})
CASTS: frozenset[object] = frozenset(
    {aten.to.dtype, aten._to_copy.default, aten.clone.default, aten.contiguous.default, aten.alias.default}
)
"""Operators that leave an index what it is."""


class IndexSource(NamedTuple):
    """Node whose values an output's indices point into, and how."""

    values: Node
    axis: int
    reduced: bool
    distinct: bool


def index_sources(program: Program) -> dict[int, IndexSource]:
    """Sources of the outputs that are indices into a float tensor, by the output's place.

    Indices along the first axis, or into a flattened tensor, have none: that axis is the batch.
    """
    graph = program.exported.graph
    outputs: list[Any] = list(graph.output_node().args[0])
    first = len(outputs) - len(program.signature.outputs)
    sources = {place: _source(node) for place, node in enumerate(outputs[first:])}
    return {place: source for place, source in sources.items() if source is not None}


def index_orders(program: Program, columns: Sequence[Column]) -> dict[int, IndexOrder]:
    """Order of each output that is indices into a float tensor, on samples, by the output's place."""
    sources = index_sources(program)
    if not sources or program.signature.lengths or program.signature.state:
        return {}
    module = program.exported.module()
    nodes = {node.name: node for node in module.graph.nodes}
    # The names of an exported program's nodes are those of its module's.
    values = [nodes[source.values.name] for source in sources.values() if source.values.name in nodes]
    if len(values) < len(sources):
        return {}
    output = module.graph.output_node()
    output.args = (tuple(values),)
    module.graph._codegen = torch.fx.graph.CodeGen()
    module.recompile()
    arrays = call_outputs(module, replace(program.signature, lengths=()), columns)
    return {
        place: IndexOrder(array, source.axis, source.reduced, source.distinct)
        for (place, source), array in zip(sources.items(), arrays, strict=True)
    }


def _source(node: Any) -> IndexSource | None:
    """Source of one output, a node; None if it is no index."""
    while node.target in CASTS:
        node = node.args[0]
    indexing, place = _operator(node)
    if indexing is None:
        return None
    values = indexing.args[0]
    value = values.meta.get("val")
    axis = indexing.args[place] if len(indexing.args) > place else indexing.kwargs.get("dim")
    if axis is None and indexing.target not in REDUCING:
        axis = -1
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or not isinstance(axis, int):
        return None
    axis %= max(value.dim(), 1)
    keeps = indexing.args[place + 1] if len(indexing.args) > place + 1 else indexing.kwargs.get("keepdim", False)
    reducing = indexing.target in REDUCING
    return IndexSource(values, axis, reducing and not keeps, not reducing) if axis else None


def _operator(node: Any) -> tuple[Any, int]:
    """Operator, a node, that gives these indices, and the place of its axis; None if there is none."""
    if node.target in SINGLE:
        return node, SINGLE[node.target]
    if node.target is operator.getitem and node.args[1] == 1 and node.args[0].target in PAIRS:
        return node.args[0], PAIRS[node.args[0].target]
    return None, 0
