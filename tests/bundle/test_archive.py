"""Packing and unpacking: same input, same bytes; all or nothing."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.manifest import Description
from edgekit.bundle.signing import SigningKey
from edgekit.errors import BundleError, SignatureError, StorageError
from tests.bundle.conftest import names

PACK_ELSEWHERE = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from edgekit.bundle.archive import pack
from edgekit.bundle.manifest import Description
from edgekit.bundle.signing import SigningKey

class Source(type(Path())):
    pass

{special}
description = Description.model_validate_json(sys.stdin.read())
root = Path(sys.argv[1])
files = {{path.relative_to(root).as_posix(): Source(path) for path in root.rglob("*") if path.is_file()}}
key = SigningKey.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
try:
    pack(description, files, key, Path(sys.argv[2]))
except Exception as error:
    sys.exit(f"{{error.code}} {{error}}")
"""

STALL_ON_SECOND_OPEN = """
import signal
class Source(type(Path())):
    opened = 0
    def open(self, *arguments):
        Source.opened += 1
        if Source.opened == 4:
            print("copying", flush=True)
            signal.pause()
        return super().open(*arguments)
"""

LIMIT_FILE_SIZE = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
"""


@pytest.fixture
def folder(tmp_path: Path, files: dict[str, bytes]) -> Path:
    """The files to pack, on disk."""
    root = tmp_path / "files"
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for 64 KiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], capture_output=True)
    if mounted.returncode:
        pytest.skip("file systems may not be mounted here")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def elsewhere(special: str, folder: Path, out: Path, umask: int = 0o22, **environ: str) -> subprocess.Popen[str]:
    """`pack` of the folder in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PACK_ELSEWHERE.format(special=special), str(folder), str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        umask=umask,
        env={**os.environ, **environ},
    )


def test_a_bundle_opens_as_what_was_packed(packed: Path, files: dict[str, bytes], key: SigningKey) -> None:
    bundle = Bundle.open(packed, [key.public])
    assert bundle.signer == key.id
    assert bundle.digest == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert bundle.manifest.name == "tiny"
    assert {file.path: file.bytes for file in bundle.manifest.files} == {name: len(files[name]) for name in files}
    assert {name: bundle.read(name) for name in files} == files
    assert bundle.read("manifest.json") == bundle.manifest.to_bytes()


def test_packing_returns_the_opened_bundle(
    tmp_path: Path, description: Description, files: dict[str, bytes], key: SigningKey
) -> None:
    out = tmp_path / "new" / "folder" / "tiny.edgekit"
    assert pack(description, files, key, out) == Bundle.open(out, [key.public])


def test_any_zip_tool_can_list_and_test_it(packed: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted([*files, "manifest.json", "manifest.sig"])
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.read("model.pte") == files["model.pte"]


@pytest.mark.parametrize(
    ("umask", "zone", "seed"), [(0o077, "Asia/Kathmandu", "1"), (0, "America/St_Johns", "2")], ids=["east", "west"]
)
def test_the_same_input_gives_the_same_bytes_in_any_process(
    packed: Path, tmp_path: Path, folder: Path, description: Description, umask: int, zone: str, seed: str
) -> None:
    out = tmp_path / "again.edgekit"
    process = elsewhere("", folder, out, umask, TZ=zone, PYTHONHASHSEED=seed)
    assert process.communicate(description.model_dump_json(by_alias=True)) == ("", "")
    assert out.read_bytes() == packed.read_bytes()


def test_dates_and_modes_of_the_files_leave_no_trace(
    packed: Path, tmp_path: Path, folder: Path, description: Description, key: SigningKey
) -> None:
    (folder / "model.pte").chmod(0o755)
    os.utime(folder / "model.pte", (1, 1))
    sources = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    pack(description, sources, key, tmp_path / "again.edgekit")
    assert (tmp_path / "again.edgekit").read_bytes() == packed.read_bytes()


def test_an_earlier_bundle_is_replaced(
    tmp_path: Path, description: Description, files: dict[str, bytes], key: SigningKey
) -> None:
    out = tmp_path / "tiny.edgekit"
    out.write_bytes(b"older")
    assert pack(description, files, key, out).digest == hashlib.sha256(out.read_bytes()).hexdigest()
    assert names(tmp_path) == ["tiny.edgekit"]


@pytest.mark.parametrize("name", ["../model.bin", "/model.bin", "a\\b", "manifest.json", "manifest.sig/x", "Model.pte"])
def test_a_file_that_cannot_be_in_a_bundle_is_not_packed(
    tmp_path: Path, description: Description, files: dict[str, bytes], key: SigningKey, name: str
) -> None:
    with pytest.raises(BundleError):
        pack(description, {**files, name: b"x"}, key, tmp_path / "tiny.edgekit")
    assert names(tmp_path) == []


def test_too_many_files_are_not_packed(
    tmp_path: Path, description: Description, files: dict[str, bytes], key: SigningKey
) -> None:
    many = {f"extra/{i}": b"" for i in range(996)}
    with pytest.raises(BundleError, match="1001 files"):
        pack(description, {**files, **many}, key, tmp_path / "tiny.edgekit")
    many.popitem()
    assert len(pack(description, {**files, **many}, key, tmp_path / "tiny.edgekit").manifest.files) == 998


def test_a_manifest_too_large_to_be_opened_is_not_packed(
    tmp_path: Path, description: Description, files: dict[str, bytes], key: SigningKey
) -> None:
    long = description.model_copy(update={"classes": ("x" * (8 << 20),)})
    with pytest.raises(BundleError, match="the manifest has"):
        pack(long, files, key, tmp_path / "tiny.edgekit")


def test_a_source_that_is_missing_or_a_folder_is_named(
    tmp_path: Path, description: Description, files: dict[str, bytes], key: SigningKey
) -> None:
    for source in (tmp_path / "nowhere.pte", tmp_path):
        with pytest.raises(StorageError, match=re.escape(f"'{source}' cannot be read")):
            pack(description, {**files, "model.pte": source}, key, tmp_path / "tiny.edgekit")
    assert names(tmp_path) == []


def test_a_source_that_changes_meanwhile_is_noticed(
    tmp_path: Path, description: Description, files: dict[str, bytes], key: SigningKey
) -> None:
    class Rewritten(type(Path())):  # type: ignore[misc]
        """Another process writes the file once more after every time it is opened."""

        def open(self, *arguments: str) -> IO[bytes]:
            opened: IO[bytes] = super().open(*arguments)
            (tmp_path / "next").write_bytes(b"other weights")
            (tmp_path / "next").replace(self)
            return opened

    source = Rewritten(tmp_path / "model.pte")
    (tmp_path / "model.pte").write_bytes(b"some weights")
    with pytest.raises(BundleError, match=r"'model\.pte' changed while it was packed"):
        pack(description, {**files, "model.pte": source}, key, tmp_path / "tiny.edgekit")
    assert names(tmp_path) == ["model.pte"]


def test_an_output_that_cannot_be_written_is_a_storage_error(
    tmp_path: Path, description: Description, files: dict[str, bytes], key: SigningKey
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for out in (tmp_path / "file" / "tiny.edgekit", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(StorageError, match="cannot be written"):
            pack(description, files, key, out)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_ctrl_c_while_packing_leaves_nothing(tmp_path: Path, folder: Path, description: Description) -> None:
    out = tmp_path / "out" / "tiny.edgekit"
    process = elsewhere(STALL_ON_SECOND_OPEN, folder, out)
    assert process.stdin
    assert process.stdout
    process.stdin.write(description.model_dump_json(by_alias=True))
    process.stdin.close()
    process.stdin = None
    assert process.stdout.readline() == "copying\n"
    assert [Path(name).suffix for name in names(out.parent)] == [".partial"]
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate()[1]
    assert names(out.parent) == []


def test_a_file_size_limit_while_packing_leaves_the_earlier_bundle(
    tmp_path: Path, folder: Path, description: Description
) -> None:
    out = tmp_path / "out" / "tiny.edgekit"
    out.parent.mkdir()
    out.write_bytes(b"older")
    process = elsewhere(LIMIT_FILE_SIZE, folder, out)
    assert process.communicate(description.model_dump_json(by_alias=True))[1].startswith("EK503 the disk of")
    assert {path.name: path.read_bytes() for path in out.parent.iterdir()} == {"tiny.edgekit": b"older"}


def test_a_full_disk_while_packing_leaves_the_earlier_bundle(
    tiny_disk: Path, description: Description, files: dict[str, bytes], key: SigningKey
) -> None:
    out = tiny_disk / "tiny.edgekit"
    out.write_bytes(b"older")
    with pytest.raises(StorageError, match="is full") as caught:
        pack(description, {**files, "model.pte": bytes(200_000)}, key, out)
    assert caught.value.hint == f"df -h {tiny_disk}"
    assert {path.name: path.read_bytes() for path in tiny_disk.iterdir()} == {"tiny.edgekit": b"older"}


def test_a_full_disk_while_extracting_leaves_nothing(
    tmp_path: Path, tiny_disk: Path, description: Description, files: dict[str, bytes], key: SigningKey
) -> None:
    bundle = pack(description, {**files, "model.pte": bytes(200_000)}, key, tmp_path / "tiny.edgekit")
    with pytest.raises(StorageError, match="is full"):
        bundle.extract(tiny_disk / "slot")
    assert names(tiny_disk) == []


def test_extracting_gives_every_file_and_nothing_else(
    tmp_path: Path, packed: Path, files: dict[str, bytes], key: SigningKey
) -> None:
    bundle = Bundle.open(packed, [key.public])
    bundle.extract(tmp_path / "slots" / "a")
    found = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if not path.is_dir()}
    assert found.keys() == {f"slots/a/{name}" for name in (*files, "manifest.json", "manifest.sig")}
    assert all(found[f"slots/a/{name}"].read_bytes() == content for name, content in files.items())
    assert found["slots/a/manifest.json"].read_bytes() == bundle.manifest.to_bytes()
    assert not any(path.is_symlink() or path.stat().st_mode & 0o111 for path in found.values())


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
    tmp_path: Path, description: Description, files: dict[str, bytes], key: SigningKey
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
