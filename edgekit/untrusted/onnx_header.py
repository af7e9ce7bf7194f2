"""Header of an ONNX file: opsets, inputs, operators and external data, without its weights and without protobuf.

Fields are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), in the encoding of
https://protobuf.dev/programming-guides/encoding/. Every length is checked against the bytes that are there.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.untrusted.torch_file import LFS_POINTER

MAX_BYTES = (1 << 31) - 1
"""Limit of a protobuf message."""
MAX_DEPTH = 16
"""Limit of graphs inside of graphs."""
MAX_NODES = 1_000_000
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Field = tuple[int, "int | memoryview"]


@dataclass(frozen=True)
class OnnxInput:
    """Input of a graph: its name, the number of its type in TensorProto, and sizes, None or a name where it is free."""

    name: str
    type_number: int
    sizes: tuple[int | str | None, ...]


@dataclass(frozen=True)
class ExternalData:
    """Weight that lies in another file."""

    name: str
    location: str
    offset: int
    length: int | None


Operator = tuple[str, str]
"""Domain and kind of an operator."""


@dataclass(frozen=True)
class OnnxNode:
    """Node of a graph, and what is in its subgraphs."""

    operators: dict[Operator, str]
    """Name of the first node of each operator: itself first, then those in its subgraphs."""
    inputs: tuple[str, ...]
    """Names that it and its subgraphs take; those that subgraphs define themselves too."""
    outputs: tuple[str, ...]

    @property
    def operator(self) -> Operator:
        return next(iter(self.operators))

    @property
    def name(self) -> str:
        return self.operators[self.operator]


@dataclass
class OnnxHeader:
    """Contents of a file without its weights."""

    opsets: dict[str, int] = field(default_factory=dict)
    inputs: list[OnnxInput] = field(default_factory=list)
    """Inputs of the graph that are no initializers, in order."""
    outputs: list[str] = field(default_factory=list)
    """Names of the graph's outputs, in order."""
    nodes: list[OnnxNode] = field(default_factory=list)
    """Nodes of the graph, in order."""
    functions: dict[Operator, dict[Operator, str]] = field(default_factory=dict)
    """Operators in each function that the model defines."""
    external: list[ExternalData] = field(default_factory=list)
    initializers: set[str] = field(default_factory=set)
    counted: int = 0
    """Number of nodes, with those in subgraphs and functions."""


def read_onnx_header(path: Path) -> OnnxHeader:
    """Read the header of a file. Raises ValueError if it is no ONNX model, or damaged; OSError."""
    header = OnnxHeader()
    size = path.stat().st_size
    if not size:
        raise ValueError("it is empty")
    with path.open("rb") as file:
        # Closed with its last view, and not before: the traceback of an error holds some.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if mapped[: len(LFS_POINTER)] == LFS_POINTER:
        raise ValueError("it is a pointer of Git LFS, not the file: git lfs pull")
    _model(memoryview(mapped), header)
    if not header.opsets or not header.nodes:
        raise ValueError("it has no operators or states no opset: it is no ONNX model")
    return header


def _model(view: memoryview, header: OnnxHeader) -> None:
    for number, value in _fields(view):
        if number == 7:
            header.nodes += _graph(_message(value), header, 0)
        elif number == 8:
            entry = dict(_fields(_message(value)))
            header.opsets[_text(entry.get(1, memoryview(b"")))] = _number(entry.get(2, 0))
        elif number == 25:
            entry = dict(_fields(_message(value)))
            empty = memoryview(b"")
            operators = header.functions.setdefault((_text(entry.get(10, empty)), _text(entry.get(1, empty))), {})
            for key, part in _fields(_message(value)):
                if key == 7:
                    _add(operators, _node(_message(part), header, 0).operators)


def _graph(view: memoryview, header: OnnxHeader, depth: int) -> list[OnnxNode]:
    """Nodes of a graph; inputs and outputs of the outermost one go into the header."""
    if depth > MAX_DEPTH:
        raise ValueError(f"its graphs are nested more than {MAX_DEPTH} deep")
    inputs, nodes = [], []
    for number, value in _fields(view):
        if number == 1:
            nodes.append(_node(_message(value), header, depth))
        elif number == 5:
            _tensor(_message(value), header)
        elif number == 11 and depth == 0:
            inputs.append(_input(_message(value)))
        elif number == 12 and depth == 0:
            header.outputs.append(_input(_message(value)).name)
    header.inputs += [each for each in inputs if each.name not in header.initializers]
    return nodes


def _node(view: memoryview, header: OnnxHeader, depth: int) -> OnnxNode:
    header.counted += 1
    if header.counted > MAX_NODES:
        raise ValueError(f"it has more than {MAX_NODES:,} operators")
    texts: dict[int, list[str]] = {number: [] for number in (1, 2, 3, 4, 7)}
    inner: list[OnnxNode] = []
    for number, value in _fields(view):
        if number in texts:
            texts[number].append(_text(value))
        elif number == 5:
            inner += _attribute(_message(value), header, depth)
    inputs, outputs, names, kinds, domains = texts.values()
    kind = kinds[-1] if kinds else ""
    name = names[-1] if names and names[-1] else outputs[0] if outputs else kind
    operators = {(domains[-1] if domains else "", kind): name}
    for node in inner:
        _add(operators, node.operators)
    return OnnxNode(operators, (*inputs, *(each for node in inner for each in node.inputs)), tuple(outputs))


def _add(operators: dict[Operator, str], more: dict[Operator, str]) -> None:
    for operator, name in more.items():
        operators.setdefault(operator, name)


def _attribute(view: memoryview, header: OnnxHeader, depth: int) -> list[OnnxNode]:
    """Nodes of the subgraphs that an attribute holds."""
    nodes: list[OnnxNode] = []
    for number, value in _fields(view):
        if number in (6, 11):
            nodes += _graph(_message(value), header, depth + 1)
        elif number == 5:
            _tensor(_message(value), header)
    return nodes


def _tensor(view: memoryview, header: OnnxHeader) -> None:
    name, entries = "", {}
    for number, value in _fields(view):
        if number == 8:
            name = _text(value)
        elif number == 13:
            entry = dict(_fields(_message(value)))
            entries[_text(entry.get(1, memoryview(b"")))] = _text(entry.get(2, memoryview(b"")))
    header.initializers.add(name)
    if "location" in entries:
        odd = [entries[key] for key in ("offset", "length") if not entries.get(key, "0").isdecimal()]
        if odd:
            raise ValueError(f"the weight '{name}' lies at '{odd[0]}' of another file")
        sizes = {key: int(entries[key]) for key in ("offset", "length") if key in entries}
        header.external.append(ExternalData(name, entries["location"], sizes.get("offset", 0), sizes.get("length")))


def _input(view: memoryview) -> OnnxInput:
    entry = dict(_fields(view))
    kind = dict(_fields(_message(entry.get(2, memoryview(b"")))))
    tensor = dict(_fields(_message(kind.get(1, memoryview(b"")))))
    shape = _message(tensor.get(2, memoryview(b"")))
    sizes = tuple(_size(_message(value)) for number, value in _fields(shape) if number == 1)
    return OnnxInput(_text(entry.get(1, memoryview(b""))), _number(tensor.get(1, 0)), sizes)


def _size(view: memoryview) -> int | str | None:
    entry = dict(_fields(view))
    if 1 in entry:
        number = _number(entry[1])
        return number if 0 < number < 1 << 62 else None
    return _text(entry[2]) if 2 in entry else None


def _fields(view: memoryview) -> Iterator[Field]:
    """Fields of a message by their numbers. Raises ValueError if a length reaches beyond it."""
    position = 0
    while position < len(view):
        key, position = _varint(view, position)
        kind = key & 7
        if kind == VARINT:
            number, position = _varint(view, position)
            yield key >> 3, number
            continue
        length = {FIXED64: 8, FIXED32: 4}.get(kind)
        if kind == BYTES:
            length, position = _varint(view, position)
        if length is None or not key >> 3 or position + length > len(view):
            raise ValueError("it is no ONNX model, or it is cut short")
        yield key >> 3, view[position : position + length]
        position += length


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if position >= len(view):
            break
        byte = view[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
    raise ValueError("it is no ONNX model, or it is cut short")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("it is no ONNX model: a number stands where a message should")
    return value


def _number(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise ValueError("it is no ONNX model: a message stands where a number should")
    return value


def _text(value: int | memoryview) -> str:
    try:
        return bytes(_message(value)).decode()
    except UnicodeDecodeError as error:
        raise ValueError("it is no ONNX model: a name is no text") from error
