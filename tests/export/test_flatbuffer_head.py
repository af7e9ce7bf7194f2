"""Heads of FlatBuffers files, read back by the public package and by the runner's reader."""

from __future__ import annotations

import struct

import flatbuffers
import pytest
from flatbuffers.table import Table as PublicTable
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.export.flatbuffer_head import Existing, Fields, Scalar, Scalars, elements, lay_out, root_fields
from edgekit.runner.files.flatbuffer import Table


def test_each_kind_of_value_is_read_back_by_the_runners_reader() -> None:
    inner: Fields = {0: "näme", 2: Scalar("Q", 1 << 40), 3: Scalar("b", -3)}
    tables: list[Fields] = [inner, {}]
    head = lay_out({0: Scalar("I", 7), 1: tables, 4: Scalars("i", (1, -2, 3)), 6: b"bytes"}, b"TEST")
    root = Table.root(head, b"TEST")
    first, second = root.tables(1)
    assert (root.number(0, "I"), root.numbers(4)) == (7, [1, -2, 3])
    assert (first.text(0), first.number(2, "Q"), first.number(3, "b"), second.number(3, "b")) == (
        "näme",
        1 << 40,
        -3,
        0,
    )
    assert root.number(5, "I") == 0
    assert len(head) % 64 == 0


def test_the_public_package_reads_it_and_bytes_and_numbers_are_aligned() -> None:
    head = lay_out({1: b"payload", 2: {0: Scalar("Q", 5)}}, b"TEST")
    table = PublicTable(head, struct.unpack_from("<I", head)[0])
    vector = table.Vector(table.Offset(6))
    assert head[vector : vector + table.VectorLen(table.Offset(6))] == b"payload"
    assert vector % 16 == 0
    inner = PublicTable(head, table.Indirect(table.Pos + table.Offset(8)))
    place = inner.Pos + inner.Offset(4)
    assert (struct.unpack_from("<Q", head, place)[0], place % 8) == (5, 0)


@settings(max_examples=25)
@given(st.lists(st.text(max_size=9), max_size=5), st.text(min_size=1, max_size=9))
def test_an_old_file_stays_as_it_is_and_its_objects_are_reached(names: list[str], added: str) -> None:
    old = public_file(names)
    fields = root_fields(old, {0: "I"})
    kept = elements(old, fields.get(1))
    assert len(kept) == len(names)
    fields[1] = [*kept, {0: added}]
    head = lay_out(fields, b"TEST")
    whole = head + old
    root = Table.root(whole, b"TEST")
    assert [table.text(0) for table in root.tables(1)] == [*names, added]
    assert root.number(0, "I") == 3
    assert whole.endswith(old)


def public_file(names: list[str]) -> bytes:
    """File by the public package: a number, and a vector of tables that each have a text."""
    builder = flatbuffers.Builder()
    tables = []
    for name in names:
        text = builder.CreateString(name)
        builder.StartObject(1)
        builder.PrependUOffsetTRelativeSlot(0, text, 0)
        tables.append(builder.EndObject())
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    vector = builder.EndVector()
    builder.StartObject(2)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(1, vector, 0)
    builder.Finish(builder.EndObject(), b"TEST")
    return bytes(builder.Output())


@settings(max_examples=25)
@given(st.binary(max_size=80))
def test_bytes_that_are_no_file_are_told_as_such(content: bytes) -> None:
    try:
        fields = root_fields(content, {0: "I"})
        for value in fields.values():
            if isinstance(value, Existing):
                elements(content, value)
    except struct.error:
        pass
    with pytest.raises(struct.error):
        root_fields(content[:3], {})
