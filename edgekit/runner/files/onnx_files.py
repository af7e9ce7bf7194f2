"""External data of an ONNX model: files that its tensors name, read off the protobuf before a runtime opens them."""

from __future__ import annotations

from collections.abc import Iterator

# By message, the fields that hold messages in which tensors can be, and their types: field numbers of onnx/onnx.proto3.
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
"""Deepest nesting of messages that is read; a subgraph takes three. Deeper files are crafted to take long."""


def external_files(model: memoryview) -> list[str]:
    """Locations that tensors of the model name, each once, as they are written.

    Raises ValueError if the bytes are no protobuf or nest too deep.
    """
    locations: dict[str, None] = {}
    pending = [("Model", model, 0)]
    while pending:
        kind, message, depth = pending.pop()
        if depth > DEPTH:
            raise ValueError("it holds graphs in graphs without an end")
        for field, value in protobuf_fields(message):
            if not isinstance(value, memoryview):
                continue
            if kind == "Tensor" and field == EXTERNAL_DATA:
                locations.update(dict.fromkeys(_location(value)))
            elif field in INSIDE.get(kind, ()):
                pending.append((INSIDE[kind][field], value, depth + 1))
    return list(locations)


def _location(entry: memoryview) -> Iterator[str]:
    """Value of a StringStringEntryProto whose key is `location`."""
    fields = {field: bytes(value) for field, value in protobuf_fields(entry) if isinstance(value, memoryview)}
    if fields.get(1) == LOCATION:
        yield fields.get(2, b"").decode("utf-8")


def protobuf_fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Numbers and values of a message's fields, in order.

    Source: https://protobuf.dev/programming-guides/encoding/. Raises ValueError.
    """
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
