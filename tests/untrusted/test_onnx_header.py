"""Headers of ONNX files: as onnx wrote them, and never more than the file holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.untrusted.onnx_header import MAX_DEPTH, ExternalData, OnnxInput, read_onnx_header


def varint(number: int) -> bytes:
    parts = []
    while True:
        number, low = number >> 7, number & 127
        parts.append(low | 128 if number else low)
        if not number:
            return bytes(parts)


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protobuf message: a number, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


NODE = field(4, b"Relu") + field(2, b"y") + field(3, b"first")
AXES = field(1, field(1, 1)) + field(1, field(2, b"height")) + field(1, b"")
INPUT = field(1, b"x") + field(2, field(1, field(1, 1) + field(2, AXES)))
OPSET = field(8, field(1, b"") + field(2, 18))
EXTERNAL = field(8, b"w") + b"".join(
    field(13, field(1, key) + field(2, value)) for key, value in ((b"location", b"w.bin"), (b"offset", b"8"))
)
GRAPH = field(1, NODE) + field(5, EXTERNAL) + field(11, INPUT) + field(11, field(1, b"w"))
MODEL = field(1, 10) + field(7, GRAPH) + OPSET


def nested(depth: int) -> bytes:
    """A node with a graph inside of a graph, and so on."""
    graph = field(1, NODE)
    for _ in range(depth):
        graph = field(1, field(4, b"If") + field(2, b"z") + field(5, field(6, graph)))
    return field(7, graph) + OPSET


def test_a_header_has_what_the_file_states(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(MODEL)
    header = read_onnx_header(tmp_path / "net.onnx")
    assert header.opsets == {"": 18}
    assert header.inputs == [OnnxInput("x", 1, (1, "height", None))]  # `w` is a weight
    assert [node.operators for node in header.nodes] == [{("", "Relu"): "first"}]
    assert header.external == [ExternalData("w", "w.bin", 8, None)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (field(1, 10), "no operators"),
        (MODEL[:-1], "cut short"),
        (field(7, 3) + OPSET, "a number stands where a message should"),
        (field(8, field(2, b"\x12")) + field(7, GRAPH), "a message stands where a number should"),
        (field(7, field(1, field(4, b"\xff"))) + OPSET, "a name is no text"),
        (b"\x3a" + b"\xff" * 9 + b"\x01", "cut short"),
        (b"\xff" * 20, "cut short"),
        (nested(MAX_DEPTH + 1), "nested more than"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_onnx_header(tmp_path / "net.onnx")


def test_operators_of_graphs_inside_of_graphs_are_read(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(nested(MAX_DEPTH))
    (node,) = read_onnx_header(tmp_path / "net.onnx").nodes
    assert (node.operator, node.operators) == (("", "If"), {("", "If"): "z", ("", "Relu"): "first"})


@given(st.integers(0, len(MODEL) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_a_damaged_header_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, put: bytes, cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(MODEL[:place] + put + MODEL[place + cut :])
    try:
        header = read_onnx_header(path)
    except ValueError:
        return
    assert header.nodes
