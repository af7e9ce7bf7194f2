from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgekit.atomic import replacing, write
from edgekit.errors import StorageError


def test_what_was_there_stays_if_the_new_content_fails(tmp_path: Path) -> None:
    write(tmp_path / "file", b"old")
    with pytest.raises(TypeError), replacing(tmp_path / "file") as file:
        file.writelines((b"new", None))  # type: ignore[arg-type]  # as a caller without types might
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_of_several_writers_one_is_whole(tmp_path: Path) -> None:
    contents = [bytes([value]) * 200_000 for value in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write(tmp_path / "file", content), contents))
    assert (tmp_path / "file").read_bytes() in contents
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("mode", "expected"), [(0o666, 0o640), (0o600, 0o600)])
def test_permissions_are_those_of_the_users_files(tmp_path: Path, mode: int, expected: int) -> None:
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "file", mode) as file:
            file.write(b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == expected


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file/inside").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be written") as refused:
        write(tmp_path / "file", b"")
    assert refused.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
