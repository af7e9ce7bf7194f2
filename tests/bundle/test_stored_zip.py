"""The layout of a zip beyond 4 GiB: read by any zip tool, in one writing, and without a byte of content in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgekit.bundle.stored_zip import MAX_BYTES, ZipEntry, lay_out, read_entries, tail
from edgekit.errors import BundleError

GIB = 1 << 30
CASES = {
    "file": [("large.bin", 5 * GIB, 1), ("small.bin", 3, 2)],
    "offset": [("a.bin", 3 * GIB, 1), ("b.bin", 3 * GIB, 2), ("c.bin", 1, 3)],
    "both": [("a.bin", 1, 1), ("b.bin", 5 * GIB, 2), ("c.bin", 6 * GIB, 3), ("d.bin", 0, 4)],
    "edge": [("a.bin", 0xFFFFFFFF, 1)],
    "below": [("a.bin", 0xFFFFFFFE - 200, 1)],
}


def sparse(path: Path, entries: Sequence[ZipEntry]) -> Path:
    """A zip whose contents are holes: its headers, directory and size are real."""
    with path.open("wb") as file:
        for entry in entries:
            file.seek(entry.offset)
            file.write(entry.header)
        file.seek(entries[-1].end)
        file.write(tail(entries))
    return path


@pytest.mark.parametrize("contents", CASES.values(), ids=CASES)
def test_a_zip_beyond_4_gib_is_read_as_it_was_laid_out(tmp_path: Path, contents: list[tuple[str, int, int]]) -> None:
    entries = lay_out(contents)
    path = sparse(tmp_path / "large.zip", entries)
    with path.open("rb") as file:
        assert read_entries(file) == entries
    with zipfile.ZipFile(path) as other:
        listed = [(info.filename, info.file_size, info.CRC) for info in other.infolist()]
        assert listed == contents
        assert [info.header_offset for info in other.infolist()] == [entry.offset for entry in entries]
        last = other.infolist()[-1]
        with other.open(last) as content:  # its local header is one that another tool takes
            assert content.read(0) == b""


def test_no_number_is_in_a_field_of_64_bits_that_fits_into_32() -> None:
    below, beyond = lay_out([("a", 0xFFFFFFFE, 1), ("b", 1, 2)])
    assert len(below.header) == 30 + 1
    assert len(below.directory) == 46 + 1
    assert len(beyond.header) == 30 + 1
    assert len(beyond.directory) == 46 + 1 + 4 + 8  # its offset alone


@pytest.mark.parametrize("contents", [CASES["file"], CASES["both"]], ids=["file", "both"])
def test_any_byte_of_the_directory_of_a_large_zip_counts(tmp_path: Path, contents: list[tuple[str, int, int]]) -> None:
    entries = lay_out(contents)
    path = sparse(tmp_path / "large.zip", entries)
    end = tail(entries)
    for place in range(len(end)):
        with path.open("r+b") as file:
            file.seek(entries[-1].end + place)
            file.write(bytes([end[place] ^ 1]))
        with path.open("rb") as file, pytest.raises(BundleError):
            read_entries(file)
        with path.open("r+b") as file:
            file.seek(entries[-1].end + place)
            file.write(end[place : place + 1])
    with path.open("rb") as file:
        assert read_entries(file) == entries


def test_a_file_beyond_the_limit_is_not_looked_into(tmp_path: Path) -> None:
    path = sparse(tmp_path / "vast.zip", lay_out([("a.bin", MAX_BYTES, 1)]))
    with path.open("rb") as file, pytest.raises(BundleError, match=f"more than the {MAX_BYTES} that a bundle may have"):
        read_entries(file)
