"""Reads tables of FlatBuffers, of which ExecuTorch's programs and traces are made: standard library only."""

from __future__ import annotations

import struct
from collections.abc import Iterator


class Table:
    """One table. Fields are numbered as the schema lists them, a union takes two; one that is not there is its default.

    After "FlatBuffers internals" (https://flatbuffers.dev/internals/). Raises ValueError where the bytes are no table.
    """

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - self._number("i", at)

    @classmethod
    def root(cls, data: bytes, identifier: bytes) -> Table:
        """The table that a file begins with. `identifier` is the four bytes that say of which schema it is."""
        if data[4:8] != identifier:
            raise ValueError(f"it does not begin as '{identifier.decode()}' does")
        return cls(data, int(struct.unpack_from("<I", data)[0]))

    def number(self, field: int, format: str, default: int = 0) -> int:
        """A whole number, in the format of `struct`."""
        at = self._place(field)
        return default if at is None else self._number(format, at)

    def text(self, field: int) -> str:
        at = self._target(field)
        return "" if at is None else self._bytes(at + 4, self._number("I", at)).decode("utf-8", "replace")

    def table(self, field: int) -> Table | None:
        at = self._target(field)
        return None if at is None else Table(self._data, at)

    def tables(self, field: int) -> Iterator[Table]:
        """Those of a list, in order."""
        at = self._target(field)
        if at is None:
            return
        for entry in range(at + 4, at + 4 + 4 * self._number("I", at), 4):
            yield Table(self._data, entry + self._number("I", entry))

    def numbers(self, field: int) -> list[int]:
        """A list of int32."""
        at = self._target(field)
        if at is None:
            return []
        count = self._number("I", at)
        return list(struct.unpack(f"<{count}i", self._bytes(at + 4, 4 * count)))

    def _target(self, field: int) -> int | None:
        """Where what a field points to begins."""
        at = self._place(field)
        return None if at is None else at + self._number("I", at)

    def _place(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry >= self._number("H", self._fields):
            return None
        offset = self._number("H", self._fields + entry)
        return self._at + offset if offset else None

    def _number(self, format: str, at: int) -> int:
        return int(struct.unpack(f"<{format}", self._bytes(at, struct.calcsize(f"<{format}")))[0])

    def _bytes(self, at: int, count: int) -> bytes:
        found = self._data[at : at + count] if at >= 0 else b""
        if len(found) != count:
            raise ValueError("it ends too early")
        return found
