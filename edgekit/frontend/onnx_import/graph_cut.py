"""Cut of an ONNX graph at named tensors: what they do not depend on is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def cut_graph(graph: Any, outputs: Sequence[str]) -> bool:
    """Let a GraphProto end with the tensors `outputs`, in place, and tell if it did not before."""
    import onnx

    if [output.name for output in graph.output] == list(outputs):
        return False
    known = {value.name: value for value in (*graph.value_info, *graph.output)}
    ends = [known.get(name, onnx.ValueInfoProto(name=name)) for name in outputs]
    copies = [onnx.ValueInfoProto.FromString(end.SerializeToString()) for end in ends]
    needed, names = [], set(outputs)
    for node in reversed(graph.node):
        if not names.isdisjoint(node.output):
            needed.append(node)
            names.update(_operands(node))
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(needed)]
    _replace(graph.node, nodes)
    _replace(graph.output, copies)
    for field in (graph.initializer, graph.sparse_initializer, graph.input, graph.value_info):
        _keep(field, names)
    return True


def _operands(node: Any) -> Iterator[str]:
    """Names that a node and its subgraphs take."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
            for inner in graph.node:
                yield from _operands(inner)
            yield from (output.name for output in graph.output)


def _replace(field: Any, values: Iterable[Any]) -> None:
    del field[:]
    field.extend(values)


def _keep(field: Any, names: set[str]) -> None:
    for index in reversed(range(len(field))):
        name = field[index].values.name if hasattr(field[index], "values") else field[index].name
        if name not in names:
            del field[index]
