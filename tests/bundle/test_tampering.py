"""Whatever is done to a bundle, opening it says so, and says it as an error of ours."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.manifest import Description
from edgekit.bundle.signing import PublicKey, SigningKey, write_signature
from edgekit.bundle.stored_zip import lay_out, tail
from edgekit.errors import BundleError, SignatureError, StorageError, UntrustedKey
from tests.bundle.conftest import Forge

Refused = Callable[[bytes], BundleError]
Sealed = Callable[[bytes, Mapping[str, bytes]], bytes]


@pytest.fixture(scope="session")
def refused(tmp_path_factory: pytest.TempPathFactory, key: SigningKey) -> Refused:
    """Opens these bytes as a bundle: they must be refused, by an error that names the file and has a hint."""
    path = tmp_path_factory.mktemp("tampered") / "tiny.edgekit"

    def attempt(content: bytes) -> BundleError:
        path.write_bytes(content)
        with pytest.raises(BundleError) as caught:
            Bundle.open(path, [key.public])
        assert str(path) in str(caught.value)
        assert caught.value.hint
        return caught.value

    return attempt


@pytest.fixture(scope="session")
def contents(packed: Path) -> dict[str, bytes]:
    """Every entry of the whole bundle, in order."""
    with zipfile.ZipFile(packed) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def accepted(content: bytes, folder: Path, trusted: list[PublicKey]) -> bool:
    path = folder / "tiny.edgekit"
    path.write_bytes(content)
    Bundle.open(path, trusted)
    return True


def flips(length: int) -> Iterator[tuple[int, int]]:
    """Every byte of a file, once by its lowest bit, once by its highest, once by all."""
    return ((position, bits) for position in range(length) for bits in (0x01, 0x80, 0xFF))


def test_the_forge_makes_whole_bundles(
    packed: Path, forge: Forge, contents: dict[str, bytes], tmp_path: Path, key: SigningKey
) -> None:
    assert forge(contents) == packed.read_bytes()
    assert accepted(forge(contents), tmp_path, [key.public])


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


def test_a_file_added_or_missing_or_renamed_is_named(
    refused: Refused, forge: Forge, contents: dict[str, bytes]
) -> None:
    added = refused(forge({**contents, "more.bin": b""}))
    assert isinstance(added, SignatureError)
    assert "'more.bin' was added" in str(added)
    missing = refused(forge({name: content for name, content in contents.items() if name != "model.pte"}))
    assert isinstance(missing, SignatureError)
    assert "'model.pte' is missing" in str(missing)
    renamed = {("model.ptx" if name == "model.pte" else name): content for name, content in contents.items()}
    assert "'model.pte' is missing" in str(refused(forge(renamed)))


def test_a_file_of_another_content_is_named(refused: Refused, forge: Forge, contents: dict[str, bytes]) -> None:
    changed = refused(forge({**contents, "model.pte": contents["model.pte"].swapcase()}))
    assert isinstance(changed, SignatureError)
    assert "'model.pte' in it is not the file that was signed" in str(changed)
    longer = refused(forge({**contents, "model.pte": contents["model.pte"] + b"x"}))
    assert "'model.pte' in it has 301 bytes, and 300 were signed" in str(longer)


def test_two_files_swapped_are_noticed(refused: Refused, forge: Forge, contents: dict[str, bytes]) -> None:
    first, second = "golden/inputs/image.npy", "golden/outputs/output.npy"
    swapped = {**contents, first: contents[second], second: contents[first]}
    assert isinstance(refused(forge(swapped)), SignatureError)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_a_zip_without_manifest_or_signature_is_no_bundle(
    refused: Refused, forge: Forge, contents: dict[str, bytes], name: str
) -> None:
    left = {path: content for path, content in contents.items() if path != name}
    assert f"without '{name}'" in str(refused(forge(left)))


def test_another_manifest_under_the_old_signature_is_refused(
    refused: Refused, forge: Forge, contents: dict[str, bytes], key: SigningKey
) -> None:
    forged = contents["manifest.json"].replace(b'"count":2', b'"count":1')
    error = refused(forge({**contents, "manifest.json": forged}))
    assert isinstance(error, SignatureError)
    assert key.id in str(error)


def test_a_manifest_signed_again_by_a_stranger_is_not_trusted(
    refused: Refused, forge: Forge, contents: dict[str, bytes], other_key: SigningKey
) -> None:
    error = refused(forge({**contents, "manifest.sig": write_signature(other_key, contents["manifest.json"])}))
    assert isinstance(error, UntrustedKey)
    assert other_key.id in str(error)
    assert error.hint
    assert "edgekit keys trust FILE.pub" in error.hint


def test_a_stranger_cannot_use_a_trusted_name(
    refused: Refused, forge: Forge, contents: dict[str, bytes], key: SigningKey, other_key: SigningKey
) -> None:
    strange = write_signature(other_key, contents["manifest.json"])
    claimed = strange.replace(other_key.id.encode(), key.id.encode())
    assert "manifest is not what" in str(refused(forge({**contents, "manifest.sig": claimed})))


def test_nobody_is_trusted_unless_named(packed: Path, tmp_path: Path, key: SigningKey, other_key: SigningKey) -> None:
    for trusted in ([], [other_key.public]):
        with pytest.raises(UntrustedKey, match=key.id):
            Bundle.open(packed, trusted)
    assert accepted(packed.read_bytes(), tmp_path, [other_key.public, key.public])


@pytest.mark.parametrize(
    "manifest", [b"", b"{", b"null\n", b"[" * 100_000, b"\xff\xfe", b'{"files":[]}\n', b'{"schema":2}\n', b"PK\5\6"]
)
def test_a_manifest_that_is_none_is_refused_even_if_signed(
    refused: Refused, sealed: Sealed, files: dict[str, bytes], manifest: bytes
) -> None:
    error = refused(sealed(manifest, files))
    assert not isinstance(error, SignatureError)
    assert "'manifest.json'" in str(error)


def test_a_signed_manifest_must_be_canonical(
    refused: Refused,
    sealed: Sealed,
    files: dict[str, bytes],
    manifest_values: dict[str, Any],
    tmp_path: Path,
    key: SigningKey,
) -> None:
    canonical = json.dumps(manifest_values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    assert accepted(sealed(canonical, files), tmp_path, [key.public])
    assert "canonical" in str(refused(sealed(json.dumps(manifest_values).encode(), files)))


@settings(max_examples=300)
@given(place=st.floats(0, 1, exclude_max=True), content=st.binary(max_size=6), cut=st.integers(0, 6))
def test_a_signed_manifest_with_any_fault_gives_no_traceback(
    sealed: Sealed, contents: dict[str, bytes], packed: Path, place: float, content: bytes, cut: int, key: SigningKey
) -> None:
    raw = contents["manifest.json"]
    position = int(place * len(raw))
    changed = raw[:position] + content + raw[position + cut :]
    path = packed.with_name("faulty.edgekit")
    path.write_bytes(sealed(changed, {name: contents[name] for name in contents if not name.startswith("manifest.")}))
    try:
        bundle = Bundle.open(path, [key.public])
    except BundleError:
        return
    assert bundle.manifest.to_bytes() == changed


def test_a_signature_has_one_writing(refused: Refused, forge: Forge, contents: dict[str, bytes]) -> None:
    written = contents["manifest.sig"]
    # 64 bytes leave four bits of the last base64 digit unused: other digits decode to the same signature
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet.index(written[-4])
    others = [written[:-4] + alphabet[last + i : last + i + 1] + b"==\n" for i in range(1, 16)]
    others += [written[:-1], written + b"\n", written.replace(b" ", b"\t"), written.upper(), b" " + written[:-1]]
    others += [written.replace(b"\n", b"\r\n"), written.replace(b"=", b""), b"\xff" * len(written), b"", b"\n"]
    for other in others:
        refused(forge({**contents, "manifest.sig": other}))


def test_too_large_is_refused_before_anything_is_read(refused: Refused, forge: Forge, tmp_path: Path) -> None:
    assert "more than 8388608" in str(refused(forge({"manifest.json": bytes((8 << 20) + 1), "manifest.sig": b""})))
    assert "more than 114" in str(refused(forge({"manifest.json": b"", "manifest.sig": bytes(115)})))
    assert "more than 1000" in str(refused(forge({f"{i:04}": b"" for i in range(1001)})))
    huge = tmp_path / "huge.edgekit"
    with huge.open("wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(BundleError, match="more than the 4294967294"):
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


def test_changing_one_value_of_the_description_changes_the_digest(
    packed: Path, tmp_path: Path, description: Description, files: dict[str, bytes], key: SigningKey
) -> None:
    renamed = pack(description.model_copy(update={"name": "tinz"}), files, key, tmp_path / "tiny.edgekit")
    assert renamed.digest != Bundle.open(packed, [key.public]).digest
