"""Outline of an ONNX graph: its nodes, and the types and ranks of its tensors, read off the protobuf without `onnx`.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import NamedTuple

from .onnx_files import protobuf_fields

UINT8, INT8, UINT16, INT16, FLOAT, FLOAT16 = 2, 3, 4, 5, 1, 10
"""Numbers of element types, by `TensorProto.DataType`."""
GRAPH = 7
NODE, INITIALIZER, INPUT, OUTPUT, VALUE = 1, 5, 11, 12, 13


class OutlineNode(NamedTuple):
    """One node of the outermost graph."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    integers: dict[str, int]
    """Attributes that are one integer: `axis`, `to`."""


class GraphOutline(NamedTuple):
    """Nodes of the outermost graph in order, and what the file says of tensors by their names."""

    nodes: tuple[OutlineNode, ...]
    constants: dict[str, int]
    """Type number of every constant: initializers, and outputs of `Constant` nodes."""
    types: dict[str, int]
    """Type number of every input, output and intermediate tensor that the file describes."""
    ranks: dict[str, int]
    """Number of axes of those."""
    metadata: dict[str, str]
    """Properties of the model."""


def read_onnx_graph(path: Path) -> GraphOutline:
    """Read the outline of a file. Raises ValueError if it is no protobuf, OSError."""
    with path.open("rb") as file:
        model = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    graph = GraphOutline((), {}, {}, {}, {})
    nodes: list[OutlineNode] = []
    for field, value in protobuf_fields(model):
        if field == GRAPH and isinstance(value, memoryview):
            _read_graph(value, graph, nodes)
        elif field == 14 and isinstance(value, memoryview):
            pair = {number: _text(part) for number, part in protobuf_fields(value)}
            graph.metadata[pair.get(1, "")] = pair.get(2, "")
    return graph._replace(nodes=tuple(nodes))


def _read_graph(message: memoryview, graph: GraphOutline, nodes: list[OutlineNode]) -> None:
    for field, value in protobuf_fields(message):
        if not isinstance(value, memoryview):
            continue
        if field == NODE:
            nodes.append(_node(value, graph))
        elif field == INITIALIZER:
            name, number = _tensor(value)
            graph.constants[name] = number
        elif field in (INPUT, OUTPUT, VALUE):
            _describe(value, graph)


def _node(message: memoryview, graph: GraphOutline) -> OutlineNode:
    texts: dict[int, list[str]] = {1: [], 2: [], 3: [], 4: []}
    integers: dict[str, int] = {}
    constant = None
    for field, value in protobuf_fields(message):
        if field in texts:
            texts[field].append(_text(value))
        elif field == 5 and isinstance(value, memoryview):
            attribute = dict(protobuf_fields(value))
            number, tensor = attribute.get(3), attribute.get(5)
            if isinstance(number, int):
                integers[_text(attribute.get(1, b""))] = number
            if isinstance(tensor, memoryview):
                constant = _tensor(tensor)[1]
    kind = "".join(texts[4][:1])
    if kind == "Constant" and constant is not None:
        graph.constants.update(dict.fromkeys(texts[2], constant))
    return OutlineNode(kind, "".join(texts[3][:1]), tuple(texts[1]), tuple(texts[2]), integers)


def _tensor(message: memoryview) -> tuple[str, int]:
    """Name and type number of a TensorProto."""
    fields = {field: value for field, value in protobuf_fields(message) if field in (2, 8)}
    number = fields.get(2, 0)
    return _text(fields.get(8, b"")), number if isinstance(number, int) else 0


def _describe(message: memoryview, graph: GraphOutline) -> None:
    """Keep type and rank of a ValueInfoProto."""
    fields = dict(protobuf_fields(message))
    name, type = _text(fields.get(1, b"")), fields.get(2)
    tensor = dict(protobuf_fields(type)).get(1) if isinstance(type, memoryview) else None
    if not isinstance(tensor, memoryview):
        return
    for field, value in protobuf_fields(tensor):
        if field == 1 and isinstance(value, int):
            graph.types[name] = value
        elif field == 2 and isinstance(value, memoryview):
            graph.ranks[name] = sum(1 for number, _ in protobuf_fields(value) if number == 1)


def _text(value: object) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, (bytes, memoryview)) else ""
