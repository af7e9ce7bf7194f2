"""Reader of FlatBuffers tables, the format of ExecuTorch's programs and traces. Standard library only."""

from __future__ import annotations

import struct
from collections.abc import Iterator


class Table:
    """One table. Fields are numbered from 0 in the order of the schema, and a union takes two numbers.

    A field that is absent has its default. Source: "FlatBuffers internals" (https://flatbuffers.dev/internals/).
    Every method raises ValueError where the bytes are no table.
    """

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - self._number("i", at)

    @classmethod
    def root(cls, data: bytes, identifier: bytes) -> Table:
        """Root table of a file. `identifier`: four bytes at offset 4 that name the schema."""
        if data[4:8] != identifier:
            raise ValueError(f"it does not begin as '{identifier.decode()}' does")
        return cls(data, int(struct.unpack_from("<I", data)[0]))

    def number(self, field: int, format: str, default: int = 0) -> int:
        """Read an integer field; `format` is one character of `struct`, such as `i`."""
        at = self._place(field)
        return default if at is None else self._number(format, at)

    def text(self, field: int) -> str:
        at = self._target(field)
        return "" if at is None else self._bytes(at + 4, self._number("I", at)).decode("utf-8", "replace")

    def table(self, field: int) -> Table | None:
        at = self._target(field)
        return None if at is None else Table(self._data, at)

    def tables(self, field: int) -> Iterator[Table]:
        """Tables of a vector field, in order."""
        at = self._target(field)
        if at is None:
            return
        for entry in range(at + 4, at + 4 + 4 * self._number("I", at), 4):
            yield Table(self._data, entry + self._number("I", entry))

    def numbers(self, field: int) -> list[int]:
        """Read a vector field of int32."""
        at = self._target(field)
        if at is None:
            return []
        count = self._number("I", at)
        return list(struct.unpack(f"<{count}i", self._bytes(at + 4, 4 * count)))

    def _target(self, field: int) -> int | None:
        """Position of the object that an offset field points to; None if the field is absent."""
        at = self._place(field)
        return None if at is None else at + self._number("I", at)

    def _place(self, field: int) -> int | None:
        """Position of a field's own bytes, by the vtable; None if the field is absent."""
        entry = 4 + 2 * field
        if entry >= self._number("H", self._fields):
            return None
        offset = self._number("H", self._fields + entry)
        return self._at + offset if offset else None

    def _number(self, format: str, at: int) -> int:
        return int(struct.unpack(f"<{format}", self._bytes(at, struct.calcsize(f"<{format}")))[0])

    def _bytes(self, at: int, count: int) -> bytes:
        chunk = self._data[at : at + count] if at >= 0 else b""
        if len(chunk) != count:
            raise ValueError("it ends too early")
        return chunk
