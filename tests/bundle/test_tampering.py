"""Whatever is done to the bytes of a bundle, opening it says so, and says it as an error of ours."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.bundle.stored_zip import lay_out, tail
from edgekit.errors import BundleError, StorageError
from tests.bundle.conftest import Forge, Refused


def flips(length: int) -> Iterator[tuple[int, int]]:
    """Every byte of a file, once by its lowest bit, once by its highest, once by all."""
    return ((position, bits) for position in range(length) for bits in (0x01, 0x80, 0xFF))


def test_flipping_any_byte_is_noticed(packed: Path, tmp_path: Path, key: SigningKey) -> None:
    whole = packed.read_bytes()
    path = tmp_path / "tiny.edgekit"
    path.write_bytes(whole)
    with path.open("r+b", buffering=0) as file:
        for position, bits in flips(len(whole)):
            os.pwrite(file.fileno(), bytes([whole[position] ^ bits]), position)
            with pytest.raises(BundleError):
                Bundle.open(path, [key.public])
            os.pwrite(file.fileno(), whole[position : position + 1], position)
    assert Bundle.open(path, [key.public]).manifest.name == "tiny"


def test_cutting_anywhere_is_noticed(packed: Path, tmp_path: Path, key: SigningKey) -> None:
    path = tmp_path / "tiny.edgekit"
    path.write_bytes(packed.read_bytes())
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        with pytest.raises(BundleError):
            Bundle.open(path, [key.public])


def test_a_zip_that_holds_nothing_is_no_bundle(tmp_path: Path, key: SigningKey) -> None:
    path = tmp_path / "empty.edgekit"
    zipfile.ZipFile(path, "w").close()
    with pytest.raises(BundleError, match=r"without 'manifest\.sig'"):
        Bundle.open(path, [key.public])


@given(place=st.floats(0, 1), added=st.binary(min_size=1, max_size=40))
def test_inserting_anything_anywhere_is_noticed(packed: Path, refused: Refused, place: float, added: bytes) -> None:
    whole = packed.read_bytes()
    position = round(place * len(whole))
    refused(whole[:position] + added + whole[position:])


@given(edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), min_size=1))
def test_overwriting_anything_anywhere_is_noticed(
    packed: Path, refused: Refused, edits: list[tuple[float, bytes]]
) -> None:
    whole = packed.read_bytes()
    changed = bytearray(whole)
    for place, content in edits:
        position = int(place * len(whole))
        changed[position : position + len(content)] = content
    if changed != whole:
        refused(bytes(changed))


@settings(max_examples=300)
@given(
    field=st.sampled_from([4, 6, 8, 10, 12, 16, 20]),
    value=st.one_of(st.integers(0, 0xFFFFFFFF), st.sampled_from([0, 1, 0xFFFF, 0xFFFFFFFF])),
)
def test_any_value_in_the_end_record_is_checked(packed: Path, refused: Refused, field: int, value: int) -> None:
    whole = packed.read_bytes()
    size = 4 if field in (12, 16) else 2
    place = len(whole) - 22 + field
    changed = whole[:place] + (value % (1 << 8 * size)).to_bytes(size, "little") + whole[place + size :]
    if changed != whole:
        refused(changed)


@given(content=st.binary(max_size=300))
def test_random_bytes_are_no_bundle(refused: Refused, content: bytes) -> None:
    refused(content)
    refused(content + b"PK\5\6" + content[:18].ljust(18, b"\0"))


@pytest.mark.parametrize("content", [b"", b"PK", bytes(22), b"PK\5\6" + bytes(18), b"[project]\nname = 1\n" * 3])
def test_other_files_are_no_bundle(refused: Refused, content: bytes) -> None:
    refused(content)


def test_what_is_no_file_is_no_bundle(tmp_path: Path, key: SigningKey) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("", "nowhere", "pipe"):
        with pytest.raises(BundleError, match="there is no bundle"):
            Bundle.open(tmp_path / name, [key.public])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_the_same_files_zipped_by_another_tool_are_refused(
    refused: Refused, contents: dict[str, bytes], method: int
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    refused(file.getvalue())


def test_a_comment_is_refused(refused: Refused, packed: Path, tmp_path: Path) -> None:
    path = tmp_path / "commented.zip"
    path.write_bytes(packed.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"
    refused(path.read_bytes())


@pytest.mark.parametrize("name", ["../model.bin", "/etc/passwd", "a\\..\\b", "C:x", "a//b", "./a", "z\0", "z" * 241])
def test_a_name_that_leaves_the_bundle_is_refused(
    refused: Refused, forge: Forge, contents: dict[str, bytes], name: str
) -> None:
    error = refused(forge(dict(sorted({**contents, name: b"x"}.items()))))
    assert "no plain relative path" in str(error) or "names too long" in str(error)


def test_a_duplicate_is_refused(refused: Refused, forge: Forge, contents: dict[str, bytes]) -> None:
    twin = forge({**contents, "model.ptf": b"x"}).replace(b"model.ptf", b"model.pte")
    assert "one is there twice" in str(refused(twin))


def test_a_checksum_that_is_wrong_in_both_headers_is_refused(refused: Refused, contents: dict[str, bytes]) -> None:
    for changed in contents:
        entries = lay_out((name, len(text), zlib.crc32(text) ^ (name == changed)) for name, text in contents.items())
        zipped = b"".join(entry.header + contents[entry.name] for entry in entries) + tail(entries)
        assert f"the checksum in the header of '{changed}' is wrong" in str(refused(zipped))


def test_entries_in_another_order_are_refused(refused: Refused, forge: Forge, contents: dict[str, bytes]) -> None:
    assert "not sorted" in str(refused(forge(dict(reversed(contents.items())))))


def test_too_large_is_refused_before_anything_is_read(refused: Refused, forge: Forge, tmp_path: Path) -> None:
    assert "more than 8388608" in str(refused(forge({"manifest.json": bytes((8 << 20) + 1), "manifest.sig": b""})))
    assert "more than 912" in str(refused(forge({"manifest.json": b"", "manifest.sig": bytes(913)})))
    assert "more than 1000" in str(refused(forge({f"{i:04}": b"" for i in range(1001)})))
    huge = tmp_path / "huge.edgekit"
    with huge.open("wb") as file:
        file.truncate((64 << 30) + 1)
    with pytest.raises(BundleError, match="more than the 68719476736"):
        Bundle.open(huge, [])


def test_headers_that_claim_gigabytes_are_refused(refused: Refused, forge: Forge) -> None:
    honest = forge(dict.fromkeys("01234567", b"size"))
    claimed = honest.replace((4).to_bytes(4, "little") * 2, (0xFFFFFFF0).to_bytes(4, "little") * 2)
    assert claimed != honest
    refused(claimed)


def test_a_file_that_may_not_be_read_is_a_storage_error(packed: Path, key: SigningKey) -> None:
    # /proc/self/mem is a file that even root cannot read at its start
    with pytest.raises(StorageError, match="cannot be read"):
        Bundle.open(Path("/proc/self/mem"), [key.public])
