"""What edgekit writes for a user, here and on a device, is that user's alone, whatever umask says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from edgekit.devices.flash import commit, flash
from edgekit.devices.inventory import Book, DeviceEntry
from edgekit.devices.known_hosts import HostKey, KnownHosts
from edgekit.devices.local import Local
from tests.devices.conftest import MakeBundle
from tests.devices.debian_programs import fetched
from tests.devices.shells import PACKAGES, Here, tools


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def shared(folder: Path) -> list[str]:
    """What others may read, write or enter, the folder itself included; links have no mode of their own."""
    paths = [path for path in (folder, *folder.rglob("*")) if not path.is_symlink()]
    assert len(paths) > 1
    return [str(path) for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_all_that_a_flash_leaves_on_a_device(make_bundle: MakeBundle, tmp_path: Path) -> None:
    device = Local(f"local://{tmp_path / 'new' / 'device'}")
    commit(flash(make_bundle("first"), device))
    assert (tmp_path / "new" / "device" / "trust.json").is_file()
    assert shared(tmp_path / "new") == []


def test_a_file_that_is_pushed_over_a_shell_and_its_folders(places: dict[str, str], tmp_path: Path) -> None:
    packages = fetched(PACKAGES, Path(places["EDGEKIT_CACHE"]) / "downloads")
    device = Here("here://dash", tools("dash", tmp_path / "tools", packages))
    (tmp_path / "sent").write_bytes(b"sent")
    device.push(tmp_path / "sent", PurePosixPath(tmp_path / "new" / "folder" / "file"))
    device.run(["touch", str(tmp_path / "new" / "made")], timeout=20)
    assert shared(tmp_path / "new") == []


def test_devices_and_host_keys(tmp_path: Path) -> None:
    Book(tmp_path / "config" / "devices.toml").add("pi", DeviceEntry(url="ssh://pi"))
    KnownHosts(tmp_path / "config" / "known_hosts").keep(HostKey("pi", "ssh-ed25519", "AAAA"))
    assert shared(tmp_path / "config") == []
