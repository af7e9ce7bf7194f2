"""Packing and extracting are all or nothing: Ctrl-C, a full disk, a source that changes."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from edgekit.bundle.archive import pack
from edgekit.bundle.manifest import ManifestContent
from edgekit.bundle.signing import SigningKey
from edgekit.errors import BundleError, StorageError
from tests.bundle.conftest import elsewhere, names

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

WEIGHTS = b"some weights"
# CRC-32 is linear: its polynomial (33 bits, reflected) can be added to a text anywhere without changing the checksum
SAME_CHECKSUM = (int.from_bytes(WEIGHTS, "little") ^ (0xEDB88320 << 1 | 1)).to_bytes(len(WEIGHTS), "little")

LIMIT_FILE_SIZE = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
"""


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


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (b"other weights", "'model.pte' changed while it was packed"),
        (SAME_CHECKSUM, "'model.pte' in it is not the file"),
    ],
    ids=["other checksum", "same checksum"],
)
def test_a_source_that_changes_meanwhile_leaves_the_earlier_bundle(
    tmp_path: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey, then: bytes, said: str
) -> None:
    class Rewritten(type(Path())):  # type: ignore[misc]
        """Another process writes the file once more after every time it is opened."""

        def open(self, *arguments: str) -> IO[bytes]:
            opened: IO[bytes] = super().open(*arguments)
            (tmp_path / "next").write_bytes(then)
            (tmp_path / "next").replace(self)
            return opened

    out = tmp_path / "tiny.edgekit"
    out.write_bytes(b"older")
    (tmp_path / "model.pte").write_bytes(WEIGHTS)
    with pytest.raises(BundleError, match=re.escape(said)):
        pack(description, {**files, "model.pte": Rewritten(tmp_path / "model.pte")}, key, out)
    assert names(tmp_path) == ["model.pte", "tiny.edgekit"]
    assert out.read_bytes() == b"older"


def test_an_output_that_cannot_be_written_is_a_storage_error(
    tmp_path: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for out in (tmp_path / "file" / "tiny.edgekit", tmp_path / "folder", tmp_path / ("x" * 300)):
        with pytest.raises(StorageError, match="cannot be written"):
            pack(description, files, key, out)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_ctrl_c_while_packing_leaves_nothing(tmp_path: Path, folder: Path, description: ManifestContent) -> None:
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
    tmp_path: Path, folder: Path, description: ManifestContent
) -> None:
    out = tmp_path / "out" / "tiny.edgekit"
    out.parent.mkdir()
    out.write_bytes(b"older")
    process = elsewhere(LIMIT_FILE_SIZE, folder, out)
    assert process.communicate(description.model_dump_json(by_alias=True))[1].startswith("EK503 the disk of")
    assert {path.name: path.read_bytes() for path in out.parent.iterdir()} == {"tiny.edgekit": b"older"}


def test_a_full_disk_while_packing_leaves_the_earlier_bundle(
    tiny_disk: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> None:
    out = tiny_disk / "tiny.edgekit"
    out.write_bytes(b"older")
    with pytest.raises(StorageError, match="is full") as caught:
        pack(description, {**files, "model.pte": bytes(200_000)}, key, out)
    assert caught.value.hint == f"df -h {tiny_disk}"
    assert {path.name: path.read_bytes() for path in tiny_disk.iterdir()} == {"tiny.edgekit": b"older"}


def test_a_full_disk_while_extracting_leaves_nothing(
    tmp_path: Path, tiny_disk: Path, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> None:
    bundle = pack(description, {**files, "model.pte": bytes(200_000)}, key, tmp_path / "tiny.edgekit")
    with pytest.raises(StorageError, match="is full"):
        bundle.extract(tiny_disk / "slot")
    assert names(tiny_disk) == []
