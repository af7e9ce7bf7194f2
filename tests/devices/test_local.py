from __future__ import annotations

import os
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest

from edgekit.devices.device import connect
from edgekit.devices.local import Local
from edgekit.errors import CommandFailed, OptionError, StorageError, UnknownName


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A disk on which no file grows past `size` bytes: what writes more fails as on a full one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_default_root_is_among_the_users_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path))
    with connect("local://") as device:
        assert device.root == PurePosixPath(tmp_path.resolve() / "local")
        assert device.kind == "local"


def test_a_path_names_another_root(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    with connect(f"local://{tmp_path}/with%20space") as device:
        assert device.root == PurePosixPath(folder.resolve())


@pytest.mark.parametrize(
    "url",
    ["local://host", "local://host/path", "local://?root=/tmp", "local:///%00", "local://[", f"local:///{'a' * 5000}"],
)
def test_a_local_url_names_no_host(url: str) -> None:
    with pytest.raises(OptionError, match="is no local device"):
        Local(url)


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        ("locl://", UnknownName, r"did you mean 'local'\?"),
        ("local", OptionError, r"did you mean 'local://'\?"),
        ("pi-in-the-lab", OptionError, "a URL: .*local://.*"),
    ],
)
def test_a_device_that_means_nothing_is_refused(text: str, error: type[UnknownName], hint: str) -> None:
    with pytest.raises(error) as caught, connect(text):
        pass
    assert re.fullmatch(hint, caught.value.hint or "")


def test_a_file_goes_there_and_comes_back(device: Local, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(os.urandom(100_000))
    device.push(tmp_path / "there", device.root / "some" / "folder" / "file")
    device.pull(device.root / "some" / "folder" / "file", tmp_path / "deep" / "back")
    assert (tmp_path / "deep" / "back").read_bytes() == (tmp_path / "there").read_bytes()


def test_a_file_that_is_larger_than_it_may_be_does_not_come(device: Local, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(bytes(1001))
    device.push(tmp_path / "there", device.root / "file")
    with pytest.raises(CommandFailed, match="has 1,001 bytes, 1,000 at most were to come"):
        device.pull(device.root / "file", tmp_path / "back", 1000)
    assert not (tmp_path / "back").exists()


def test_pulling_what_is_not_there_is_an_error(device: Local, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="could not be copied"):
        device.pull(device.root / "nothing", tmp_path / "back")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(device: Local, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "new").write_bytes(bytes(300_000))
    device.push(tmp_path / "old", device.root / "file")
    with largest_file(100_000), pytest.raises(StorageError, match="is full"):
        device.push(tmp_path / "new", device.root / "file")
    assert [path.name for path in Path(device.root).iterdir()] == ["file"]
    assert (Path(device.root) / "file").read_bytes() == b"old"


def test_commands_run_here(device: Local) -> None:
    assert device.run([device.python, "-c", "print(6 * 7)"], timeout=30).stdout == "42\n"
    assert device.python == sys.executable
