"""External files that an ONNX file names, read from bytes that may be damaged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.runner.files.onnx_files import external_files
from tests.runner.verbs.test_describe import graph


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 255), st.booleans())
def test_a_damaged_onnx_file_is_read_to_its_end_or_refused(at: int, byte: int, cut: bool) -> None:
    content = bytearray(graph([("x", [1, 4])], [1, 4], "weights.bin"))
    content[at % len(content)] = byte
    try:
        found = external_files(memoryview(content[:at] if cut else content))
    except ValueError:
        return
    assert len(found) <= 1


def test_graphs_in_graphs_without_an_end_are_refused() -> None:
    content = b""
    # A graph, and in it a node, in that an attribute, in that a graph.
    for key in [0x3A, *[0x0A, 0x2A, 0x32] * 200][::-1]:
        size, length = len(content), b""
        while size > 0x7F:
            length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
        content = bytes([key]) + length + bytes([size]) + content
    with pytest.raises(ValueError, match="without an end"):
        external_files(memoryview(content))
