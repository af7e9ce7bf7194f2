"""The one zip layout of a bundle: entries stored, sorted, undated, back to back. Names and contents decide every byte.

Field by field as in PKWARE's APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (directory) and 4.3.16 (end). Beyond
4 GiB it has the records and fields of zip64 (4.3.14, 4.3.15 and 4.5.3), where a number needs more than 32 bits only.
Written by hand: `zipfile` may write other bytes in another Python, and reads what it would never write.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from edgekit.errors import BundleError
from edgekit.untrusted.paths import MAX_PATH, is_inside

MAX_BYTES = 1 << 36
"""Largest size of a bundle, 64 GiB: twice the memory of the largest board that a target describes."""
MAX_ENTRIES = 1000
CHUNK = 1 << 20

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_BEYOND = 0xFFFFFFFF
"""Value of a field of 32 bits whose number is in a field of zip64."""
_VERSION, _VERSION64 = 20, 45
_UNIX = 3 << 8
_FLAGS = _STORED = _TIME = 0
_DATE = 1 << 5 | 1
"""1980-01-01, the first day a zip knows."""
_MODE = 0o100644 << 16


@dataclass(frozen=True)
class ZipEntry:
    """One file of the zip, and its position."""

    name: str
    size: int
    crc: int
    offset: int

    @property
    def header(self) -> bytes:
        """Local header, which precedes the content."""
        # A local header has both sizes or none.
        extra = _extra(self.size, self.size) if self.size >= _BEYOND else b""
        return _LOCAL.pack(b"PK\3\4", *self._common(extra)) + self.name.encode("ascii") + extra

    @property
    def start(self) -> int:
        """Offset of the content in the file."""
        return self.offset + len(self.header)

    @property
    def end(self) -> int:
        return self.start + self.size

    @property
    def directory(self) -> bytes:
        """Entry in the central directory."""
        extra = _extra(*(number for number in (self.size, self.size, self.offset) if number >= _BEYOND))
        common, offset = self._common(extra), min(self.offset, _BEYOND)
        fixed = _CENTRAL.pack(b"PK\1\2", _UNIX | common[0], *common, 0, 0, 0, _MODE, offset)
        return fixed + self.name.encode("ascii") + extra

    def _common(self, extra: bytes) -> tuple[int, ...]:
        version, size = _VERSION64 if extra else _VERSION, min(self.size, _BEYOND)
        return (version, _FLAGS, _STORED, _TIME, _DATE, self.crc, size, size, len(self.name), len(extra))


def _extra(*numbers: int) -> bytes:
    """Extra field of zip64 with these numbers; empty without any."""
    return struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""


def lay_out(contents: Iterable[tuple[str, int, int]]) -> tuple[ZipEntry, ...]:
    """Lay out entries back to back, from names, sizes and CRC-32s, in that order."""
    entries: list[ZipEntry] = []
    for name, size, crc in contents:
        entries.append(ZipEntry(name, size, crc, entries[-1].end if entries else 0))
    return tuple(entries)


def tail(entries: Sequence[ZipEntry]) -> bytes:
    """Bytes after the last content: the central directory, and its end records."""
    directory = b"".join(entry.directory for entry in entries)
    start, count, size = entries[-1].end if entries else 0, len(entries), len(directory)
    end = _END.pack(b"PK\5\6", 0, 0, count, count, size, min(start, _BEYOND), 0)
    if start < _BEYOND:
        return directory + end
    end64 = _END64.pack(b"PK\6\6", _END64.size - 12, _UNIX | _VERSION64, _VERSION64, 0, 0, count, count, size, start)
    return directory + end64 + _LOCATOR.pack(b"PK\6\7", 0, start + size, 1) + end


def read_entries(file: BinaryIO) -> tuple[ZipEntry, ...]:
    """Read the entries of a zip whose headers are, byte for byte, those of `ZipEntry` and `tail`. Reads no content.

    Raises BundleError for every other file.
    """
    total = file.seek(0, os.SEEK_END)
    if total < _END.size:
        raise BundleError("it is too short for a zip")
    if total > MAX_BYTES:
        raise BundleError(f"it is {total} bytes long, more than the {MAX_BYTES} that a bundle may have")
    start, count = _end_of_directory(file, total)
    directory = _read_at(file, start, total - start)
    entries = lay_out(_listed(directory, count))
    names = [entry.name for entry in entries]
    if names != sorted(set(names)):
        raise BundleError("its entries are not sorted, or one is there twice")
    if (entries[-1].end if entries else 0) != start or tail(entries) != directory:
        raise BundleError("its directory is not one that edgekit writes")
    for entry in entries:
        if _read_at(file, entry.offset, len(entry.header)) != entry.header:
            raise BundleError(f"the header of '{entry.name}' is not one that edgekit writes")
    return entries


def read_chunks(file: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    """Yield the content of an entry in chunks. Raises BundleError if the file ends early."""
    for position in range(entry.start, entry.end, CHUNK):
        yield _read_at(file, position, min(CHUNK, entry.end - position))


def _end_of_directory(file: BinaryIO, total: int) -> tuple[int, int]:
    """Parse the end records: offset of the central directory, and count of its entries."""
    magic, _, _, count, _, size, start, _ = _END.unpack(_read_at(file, total - _END.size, _END.size))
    records = _END.size
    if start == _BEYOND and total >= _BEYOND:
        records += _LOCATOR.size + _END64.size
        start = _END64.unpack(_read_at(file, total - records, _END64.size))[-1]
    if magic != b"PK\5\6" or start + size + records != total:
        raise BundleError("it does not end like a zip", hint="was it copied whole? compare its size with the original")
    if count > MAX_ENTRIES or size > count * (_CENTRAL.size + MAX_PATH + len(_extra(0, 0, 0))):
        raise BundleError(f"it has more than {MAX_ENTRIES} entries, or names too long")
    return start, count


def _listed(directory: bytes, count: int) -> Iterator[tuple[str, int, int]]:
    """Parse name, size and CRC-32 of each entry. The other fields are checked by comparison with `tail`."""
    beyond = struct.Struct("<4xQ")
    position = 0
    for _ in range(count):
        if position + _CENTRAL.size > len(directory):
            raise BundleError("its directory ends early")
        _, _, _, _, _, _, _, crc, _, size, length, extra, *_ = _CENTRAL.unpack_from(directory, position)
        position += _CENTRAL.size
        name = directory[position : position + length].decode("latin-1")
        if not is_inside(name):
            raise BundleError(f"it has an entry named {name!r}, which is no plain relative path")
        position += length
        if size == _BEYOND and position + beyond.size <= len(directory):
            (size,) = beyond.unpack_from(directory, position)
        position += extra
        yield name, size, crc


def _read_at(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    content = file.read(size)
    if len(content) != size:
        raise BundleError("it ends early")
    return content
