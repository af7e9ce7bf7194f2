"""Which files an ONNX model keeps its tensors in, read off its protobuf: before a runtime follows them anywhere."""

from __future__ import annotations

from collections.abc import Iterator

# Which field of a message holds which message, where tensors can be: onnx/onnx.proto3, by its field numbers.
INSIDE: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
}
EXTERNAL_DATA, LOCATION = 13, b"location"
DEPTH = 100
"""Of messages in messages, each graph in a graph three more: what is deeper is made to take long."""


def external_files(model: memoryview) -> list[str]:
    """The locations that tensors name, each once, as they are written. Raises ValueError if it is no protobuf."""
    found: dict[str, None] = {}
    left = [("Model", model, 0)]
    while left:
        kind, message, depth = left.pop()
        if depth > DEPTH:
            raise ValueError("it holds graphs in graphs without an end")
        for field, value in _fields(message):
            if not isinstance(value, memoryview):
                continue
            if kind == "Tensor" and field == EXTERNAL_DATA:
                found.update(dict.fromkeys(_location(value)))
            elif field in INSIDE.get(kind, ()):
                left.append((INSIDE[kind][field], value, depth + 1))
    return list(found)


def _location(entry: memoryview) -> Iterator[str]:
    """What a StringStringEntryProto says, if it says where."""
    said = {field: bytes(value) for field, value in _fields(entry) if isinstance(value, memoryview)}
    if said.get(1) == LOCATION:
        yield said.get(2, b"").decode("utf-8")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Numbers and values of a message's fields, in order. https://protobuf.dev/programming-guides/encoding/"""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        field, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield field, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a field of kind {wire}")
        if at + size > len(message):
            raise ValueError("a field that goes past the end")
        yield field, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it ends too early")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number that does not end")
