"""Inputs and outputs of a model, read off its file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.runner.errors import RunnerError
from edgekit.runner.model.io_signature import of_pte
from tests.runner import slot

pytestmark = pytest.mark.lowers


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 4000), st.integers(0, 255), st.booleans())
def test_a_damaged_program_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, cut: bool
) -> None:
    content = bytearray(slot.model("pte"))
    content[at % len(content)] = byte
    file = tmp_path_factory.getbasetemp() / "damaged.pte"
    file.write_bytes(content[:at] if cut else content)
    try:
        edges = of_pte(file)
    except RunnerError:
        return
    assert all(edge.dtype for edge in (*edges.inputs, *edges.outputs))
