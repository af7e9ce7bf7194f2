"""Packing and unpacking: same input, same bytes, and only what belongs in a bundle."""

from __future__ import annotations

import hashlib
import os
import re
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from edgekit.bundle import archive
from edgekit.bundle.archive import Bundle, pack, sign
from edgekit.bundle.manifest import ManifestContent
from edgekit.bundle.signing import SigningKey
from edgekit.bundle.stored_zip import read_entries
from edgekit.errors import BundleError, SignatureError, StorageError
from tests.bundle.conftest import elsewhere, names


def test_a_bundle_opens_as_what_was_packed(packed: Path, files: dict[str, bytes], key: SigningKey) -> None:
    bundle = Bundle.open(packed, [key.public])
    assert bundle.signer == key.id
    assert bundle.file_sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert bundle.manifest.name == "tiny"
    assert {file.path: file.bytes for file in bundle.manifest.files} == {name: len(files[name]) for name in files}
    assert {name: bundle.read(name) for name in files} == files
    assert bundle.read("manifest.json") == bundle.manifest.to_bytes()


def test_packing_returns_the_opened_bundle(
    tmp_path: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> None:
    out = tmp_path / "new" / "folder" / "tiny.edgekit"
    assert pack(description, files, key, out) == Bundle.open(out, [key.public])


def test_any_zip_tool_can_list_and_test_it(packed: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(packed) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == sorted([*files, "manifest.json", "manifest.sig"])
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        made = {(info.create_system, info.create_version, info.extract_version) for info in opened.infolist()}
        assert made == {(3, 20, 20)}  # by Unix, and for whoever reads version 2.0
        assert {info.external_attr for info in opened.infolist()} == {0o100644 << 16}
        assert opened.read("model.pte") == files["model.pte"]


@pytest.mark.parametrize(
    ("umask", "zone", "seed"), [(0o077, "Asia/Kathmandu", "1"), (0, "America/St_Johns", "2")], ids=["east", "west"]
)
def test_the_same_input_gives_the_same_bytes_in_any_process(
    packed: Path, tmp_path: Path, folder: Path, description: ManifestContent, umask: int, zone: str, seed: str
) -> None:
    out = tmp_path / "again.edgekit"
    process = elsewhere("", folder, out, umask, TZ=zone, PYTHONHASHSEED=seed)
    assert process.communicate(description.model_dump_json(by_alias=True)) == ("", "")
    assert out.read_bytes() == packed.read_bytes()


def test_dates_and_modes_of_the_files_leave_no_trace(
    packed: Path, tmp_path: Path, folder: Path, description: ManifestContent, key: SigningKey
) -> None:
    (folder / "model.pte").chmod(0o755)
    os.utime(folder / "model.pte", (1, 1))
    sources = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    pack(description, sources, key, tmp_path / "again.edgekit")
    assert (tmp_path / "again.edgekit").read_bytes() == packed.read_bytes()


def test_an_earlier_bundle_is_replaced(
    tmp_path: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> None:
    out = tmp_path / "tiny.edgekit"
    out.write_bytes(b"older")
    assert pack(description, files, key, out).file_sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert names(tmp_path) == ["tiny.edgekit"]


@pytest.mark.parametrize("name", ["../model.bin", "/model.bin", "a\\b", "manifest.json", "manifest.sig/x", "Model.pte"])
def test_a_file_that_cannot_be_in_a_bundle_is_not_packed(
    tmp_path: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey, name: str
) -> None:
    with pytest.raises(BundleError):
        pack(description, {**files, name: b"x"}, key, tmp_path / "tiny.edgekit")
    assert names(tmp_path) == []


def test_too_many_files_are_not_packed(
    tmp_path: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> None:
    many = {f"extra/{i}": b"" for i in range(996)}
    with pytest.raises(BundleError, match="1001 files"):
        pack(description, {**files, **many}, key, tmp_path / "tiny.edgekit")
    many.popitem()
    assert len(pack(description, {**files, **many}, key, tmp_path / "tiny.edgekit").manifest.files) == 998


def test_a_manifest_too_large_to_be_opened_is_not_packed(
    tmp_path: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> None:
    long = description.model_copy(update={"classes": ("x" * (8 << 20),)})
    with pytest.raises(BundleError, match="the manifest has"):
        pack(long, files, key, tmp_path / "tiny.edgekit")


@pytest.mark.parametrize(
    ("limit", "said"),
    [("MAX_MANIFEST_BYTES", "the manifest has"), ("MAX_CONTENT_BYTES", "more than a bundle can hold")],
)
def test_a_bundle_at_its_limits_is_packed_and_none_above(
    packed: Path,
    tmp_path: Path,
    description: ManifestContent,
    files: dict[str, bytes],
    key: SigningKey,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    said: str,
) -> None:
    bundle = Bundle.open(packed, [key.public])
    with packed.open("rb") as file:
        ends = [entry.end for entry in read_entries(file)]
    most = {"MAX_MANIFEST_BYTES": len(bundle.read("manifest.json")), "MAX_CONTENT_BYTES": max(ends)}[limit]
    monkeypatch.setattr(archive, limit, most)
    pack(description, files, key, tmp_path / "whole" / "tiny.edgekit")
    monkeypatch.setattr(archive, limit, most - 1)
    with pytest.raises(BundleError, match=said):
        pack(description, files, key, tmp_path / "tiny.edgekit")
    assert names(tmp_path) == ["whole"]


def test_what_appears_was_flushed_to_the_disk_before(
    tmp_path: Path,
    description: ManifestContent,
    files: dict[str, bytes],
    key: SigningKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flushed: set[int] = set()
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        flushed.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    bundle = pack(description, files, key, tmp_path / "tiny.edgekit")
    bundle.extract(tmp_path / "slot")
    written = [tmp_path, bundle.path, *(tmp_path / "slot" / name for name in (*files, "manifest.json", "manifest.sig"))]
    assert [path.name for path in written if path.stat().st_ino not in flushed] == []


def test_a_source_that_is_missing_or_a_folder_is_named(
    tmp_path: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> None:
    for source in (tmp_path / "nowhere.pte", tmp_path):
        with pytest.raises(StorageError, match=re.escape(f"'{source}' cannot be read")):
            pack(description, {**files, "model.pte": source}, key, tmp_path / "tiny.edgekit")
    assert names(tmp_path) == []


def test_extracting_gives_every_file_and_nothing_else(
    tmp_path: Path, packed: Path, files: dict[str, bytes], key: SigningKey
) -> None:
    bundle = Bundle.open(packed, [key.public])
    bundle.extract(tmp_path / "slots" / "a")
    files_there = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if not path.is_dir()}
    assert files_there.keys() == {f"slots/a/{name}" for name in (*files, "manifest.json", "manifest.sig")}
    assert all(files_there[f"slots/a/{name}"].read_bytes() == content for name, content in files.items())
    assert files_there["slots/a/manifest.json"].read_bytes() == bundle.manifest.to_bytes()
    assert not any(path.is_symlink() or path.stat().st_mode & 0o111 for path in files_there.values())


def test_a_folder_that_is_there_is_not_extracted_over(tmp_path: Path, packed: Path, key: SigningKey) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("empty", "dangling"):
        with pytest.raises(StorageError, match="is there already"):
            Bundle.open(packed, [key.public]).extract(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["dangling", "empty"]


def test_a_bundle_that_changes_after_it_was_opened_is_noticed(tmp_path: Path, packed: Path, key: SigningKey) -> None:
    path = tmp_path / "tiny.edgekit"
    path.write_bytes(packed.read_bytes())
    bundle = Bundle.open(path, [key.public])
    path.write_bytes(path.read_bytes().replace(b"weights", b"Weights"))
    with pytest.raises(SignatureError, match=r"'model\.pte'"):
        bundle.read("model.pte")
    with pytest.raises(SignatureError, match=r"'model\.pte'"):
        bundle.extract(tmp_path / "slot")
    path.unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        bundle.read("model.pte")
    assert names(tmp_path) == []


def test_there_is_nothing_else_to_read(packed: Path, key: SigningKey) -> None:
    with pytest.raises(BundleError, match=r"there is no file '\.\./model\.pte'"):
        Bundle.open(packed, [key.public]).read("../model.pte")


def test_a_large_payload_needs_constant_memory(
    tmp_path: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> None:
    model = tmp_path / "model.pte"
    with model.open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    try:
        pack(description, {**files, "model.pte": model}, key, tmp_path / "tiny.edgekit")
        Bundle.open(tmp_path / "tiny.edgekit", [key.public]).extract(tmp_path / "slot")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_second_signature_leaves_the_content_as_it_was(
    packed: Path, tmp_path: Path, key: SigningKey, other_key: SigningKey
) -> None:
    copy = tmp_path / "copy.edgekit"
    copy.write_bytes(packed.read_bytes())
    before = Bundle.open(copy, [key.public])
    signed = sign(before, other_key, [key.public])
    assert signed.digest == before.digest
    assert Bundle.open(copy, [other_key.public]).signer == other_key.id
    assert Bundle.open(copy, [key.public]).signer == key.id
    assert signed.file_sha256 != before.file_sha256
