"""Wheels from pip, unpacked nowhere else than they should be."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from edgekit.cache import Cache
from edgekit.devices.packs import wheels
from edgekit.errors import PackError


def _wheel(path: Path, name: str, mode: int = 0o644) -> Path:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("package/__init__.py", b"")
        archive.writestr(entry, b"content")
    return path


def test_a_wheel_is_unpacked_with_its_folders(tmp_path: Path) -> None:
    wheels.unpack(_wheel(tmp_path / "one.whl", "package/data/file"), tmp_path / "out")
    assert (tmp_path / "out/package/data/file").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("../outside", 0o644),
        ("package/../../outside", 0o644),
        ("/outside", 0o644),
        ("..\\outside", 0o644),
        ("package/link", stat.S_IFLNK | 0o777),
    ],
)
def test_a_file_that_would_lie_elsewhere_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    with pytest.raises(PackError, match="is no plain file of its own"):
        wheels.unpack(_wheel(tmp_path / "one.whl", name, mode), tmp_path / "out" / "inner")
    left = (path for path in tmp_path.rglob("*") if path.is_symlink() or not path.is_dir())
    assert [path.relative_to(tmp_path).as_posix() for path in left] == ["one.whl", "out/inner/package/__init__.py"]
    assert not Path("/outside").exists()


def test_a_damaged_wheel_is_refused(tmp_path: Path) -> None:
    wheel = _wheel(tmp_path / "one.whl", "package/file")
    wheel.write_bytes(wheel.read_bytes()[:-30])
    with pytest.raises(PackError, match=r"'one.whl' is damaged"):
        wheels.unpack(wheel, tmp_path / "out")


def test_a_version_that_there_is_not_is_said(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    with pytest.raises(PackError, match=r"there is no 'numpy==0.0.0' for the device"):
        wheels.fetched("numpy", "0.0.0", cache)
    assert list((tmp_path / "cache" / "partial").iterdir()) == []
