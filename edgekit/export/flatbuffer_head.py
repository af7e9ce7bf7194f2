"""Head in front of a FlatBuffers file: a new root table that refers to the objects of the old file.

Offsets of FlatBuffers are relative and lead forward ("FlatBuffers internals", https://flatbuffers.dev/internals/). So a
file stays valid, byte for byte, behind a head that refers into it, and nothing but the root table is written anew.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Union

BYTES_ALIGNMENT = 16
"""Alignment of vectors of bytes, as both TensorFlow Lite and ExecuTorch ask for."""


@dataclass(frozen=True)
class Scalar:
    """Number in a table; `format` is one character of `struct`, such as `I`."""

    format: str
    value: int


@dataclass(frozen=True)
class Scalars:
    """Vector of numbers of one format."""

    format: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Existing:
    """Object of the old file, by its position there."""

    at: int


FlatValue = Union["Fields", Scalar, Scalars, Existing, str, bytes, "list[Fields]", "list[Existing | Fields]"]
Fields = Mapping[int, FlatValue]
"""Table: values by the number of their field. A `str` is a string, `bytes` are a vector of ubyte, a list one of tables.

A union takes two numbers: its kind, a Scalar of format `B`, and its table.
"""


def lay_out(root: Fields, identifier: bytes, start: int = 8, alignment: int = 64) -> bytes:
    """Write a root table, and what it refers to, as the head of a file; the old file follows at once.

    start: where the first object may lie; bytes between the identifier, four bytes at 4, and `start` are zero.
    alignment: the size of the head is a multiple of it, so that objects of the old file stay aligned.
    """
    out = bytearray(start)
    out[4:8] = identifier
    pending: deque[tuple[int, FlatValue]] = deque([(0, root)])
    existing: list[tuple[int, int]] = []
    while pending:
        at, value = pending.popleft()
        if isinstance(value, Existing):
            existing.append((at, value.at))
            continue
        position, references = _append(out, value)
        struct.pack_into("<I", out, at, position - at)
        pending += references
    _align(out, alignment)
    for at, old in existing:
        struct.pack_into("<I", out, at, len(out) + old - at)
    return bytes(out)


def root_fields(content: bytes | memoryview, scalars: Mapping[int, str]) -> dict[int, FlatValue]:
    """Read the root table of a file: references to its objects, and its numbers, by format.

    scalars: formats of the fields that are numbers. Raises struct.error where the bytes are no table.
    """
    (root,) = struct.unpack_from("<I", content)
    return {
        number: Scalar(scalars[number], *struct.unpack_from(f"<{scalars[number]}", content, at))
        if number in scalars
        else Existing(at + int(struct.unpack_from("<I", content, at)[0]))
        for number, at in field_positions(content, root).items()
    }


def field_positions(content: bytes | memoryview, table: int) -> dict[int, int]:
    """Positions of the fields of the table at `table`; those that are absent are left out. Raises struct.error."""
    (back,) = struct.unpack_from("<i", content, table)
    vtable = table - back
    if vtable < 0:
        raise struct.error("a table before the file")
    (size,) = struct.unpack_from("<H", content, vtable)
    count = max(0, size - 4) // 2
    offsets = struct.unpack_from(f"<{count}H", content, vtable + 4)
    return {number: table + offset for number, offset in enumerate(offsets) if offset}


def elements(content: bytes | memoryview, vector: FlatValue | None) -> list[Existing | Fields]:
    """Objects of a vector of tables of the old file; none where the field is absent. Raises struct.error."""
    if not isinstance(vector, Existing):
        return []
    (count,) = struct.unpack_from("<I", content, vector.at)
    offsets = struct.unpack_from(f"<{count}I", content, vector.at + 4)
    return [Existing(vector.at + 4 + 4 * number + offset) for number, offset in enumerate(offsets)]


def _append(out: bytearray, value: FlatValue) -> tuple[int, list[tuple[int, FlatValue]]]:
    """Append an object; return its position, and the places that are to refer to others."""
    if isinstance(value, (str, bytes)):
        return _append_bytes(out, value), []
    if isinstance(value, Scalars):
        _align(out, 4)
        at = len(out)
        out += struct.pack(f"<I{len(value.values)}{value.format}", len(value.values), *value.values)
        return at, []
    if isinstance(value, Mapping):
        return _append_table(out, value)
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no object that a field can refer to")
    _align(out, 4)
    at = len(out)
    out += struct.pack("<I", len(value)) + bytes(4 * len(value))
    return at, [(at + 4 + 4 * number, each) for number, each in enumerate(value)]


def _append_bytes(out: bytearray, value: str | bytes) -> int:
    raw, alignment = (value.encode(), 4) if isinstance(value, str) else (value, BYTES_ALIGNMENT)
    out += bytes(-(len(out) + 4) % alignment)
    at = len(out)
    out += struct.pack("<I", len(raw)) + raw
    if isinstance(value, str):
        out += b"\0"
    return at


def _append_table(out: bytearray, fields: Fields) -> tuple[int, list[tuple[int, FlatValue]]]:
    """Append the vtable of a table, and behind it the table, its largest numbers first."""
    formats = {number: value.format if isinstance(value, Scalar) else "I" for number, value in fields.items()}
    offsets, size = _offsets(formats)
    count = 1 + max(fields, default=-1)
    _align(out, 2)
    vtable = len(out)
    out += struct.pack(f"<{2 + count}H", 4 + 2 * count, size, *(offsets.get(number, 0) for number in range(count)))
    _align(out, 8)
    at = len(out)
    out += struct.pack("<i", at - vtable) + bytes(size - 4)
    references: list[tuple[int, FlatValue]] = []
    for number, value in fields.items():
        if isinstance(value, Scalar):
            struct.pack_into(f"<{value.format}", out, at + offsets[number], value.value)
        else:
            references.append((at + offsets[number], value))
    return at, references


def _offsets(formats: Mapping[int, str]) -> tuple[dict[int, int], int]:
    """Offsets of fields in their table, by number, and the size of the table, in bytes."""
    offsets, end = {}, 4
    for number, format in _largest_first(formats.items()):
        size = struct.calcsize(f"<{format}")
        end += -end % size
        offsets[number] = end
        end += size
    return offsets, end


def _largest_first(formats: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted(formats, key=lambda pair: -struct.calcsize(f"<{pair[1]}"))


def _align(out: bytearray, alignment: int) -> None:
    out += bytes(-len(out) % alignment)
