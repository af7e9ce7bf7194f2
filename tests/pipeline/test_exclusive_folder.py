"""Output folder of a build: nothing of it stays behind where nothing came into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import OutputBusy
from edgekit.pipeline.exclusive_folder import exclusive


def fail(staging: Path) -> None:
    (staging / "half").touch()
    raise ZeroDivisionError


def test_a_refused_build_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for out in (tmp_path / "out" / "deep" / "p", tmp_path / "mine" / "p"):
        with pytest.raises(ZeroDivisionError), exclusive(out) as staging:
            fail(staging)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_files_arrive_together_and_neighbours_stay(tmp_path: Path) -> None:
    with exclusive(tmp_path / "out" / "one") as staging:
        (staging / "report.json").write_text("{}")
        assert not (tmp_path / "out" / "one" / "report.json").exists()
        with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "out" / "two") as other:
            fail(other)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")] == ["out/one/report.json"]
    assert not (tmp_path / "out" / "two").exists()


def test_two_builds_do_not_share_a_folder(tmp_path: Path) -> None:
    with exclusive(tmp_path / "out"), pytest.raises(OutputBusy, match="another edgekit"), exclusive(tmp_path / "out"):
        pass
