"""`model.py:name`: finding a name in a user's Python file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.errors import LoadError, SpecError
from edgekit.specs.factory import in_a_line, resolve


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "model.py").write_text("from beside import SIZE\n\ndef network():\n    return SIZE\n")
    (tmp_path / "beside.py").write_text("SIZE = 3\n")
    yield tmp_path
    sys.modules.pop("beside", None)


def test_a_name_in_a_file_is_found_and_its_siblings_are_importable(root: Path) -> None:
    assert resolve("model.py:network", root)() == 3


def test_the_project_is_first_on_the_import_path_and_only_once(root: Path) -> None:
    (root / "data.py").write_text("samples = ()\n")
    before = list(sys.path)
    resolve("model.py:network", root)
    resolve("data.py:samples", root)
    assert sys.path == [str(root), *before]


def test_two_projects_may_both_have_a_model(root: Path) -> None:
    other = root / "other"
    other.mkdir()
    (other / "model.py").write_text("network = 'another'\n")
    assert resolve("model.py:network", other) == "another"
    assert resolve("model.py:network", root)() == 3


def test_a_file_is_run_once(root: Path) -> None:
    assert resolve("model.py:network", root) is resolve("model.py:network", root)


def test_a_file_in_a_folder_below_is_found(root: Path) -> None:
    (root / "nets").mkdir()
    (root / "nets" / "small one.py").write_text("net = 1\n")
    assert resolve("nets/small one.py:net", root) == 1


def test_a_missing_file_is_named(root: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no 'nodel\.py'") as error:
        resolve("nodel.py:network", root)
    assert error.value.hint == "paths in edgekit.toml are relative to its folder"


def test_a_missing_name_gets_the_nearest(root: Path) -> None:
    with pytest.raises(SpecError, match=r"'model\.py' has no 'netwerk'") as error:
        resolve("model.py:netwerk", root)
    assert error.value.hint == "did you mean 'network'?"


def test_a_file_that_raises_is_named_with_its_line_and_leaves_no_half_module(root: Path) -> None:
    (root / "broken.py").write_text("1 / 0\n")
    for _ in range(2):
        with pytest.raises(LoadError, match=r"'broken\.py' could not be imported at broken\.py:1 .* ZeroDivisionError"):
            resolve("broken.py:network", root)
    (root / "broken.py").write_text("network = 'mended'\n")
    assert resolve("broken.py:network", root) == "mended"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("no scale\n\nWhile executing %conv : [num_users=1] = call_function[...]", "ValueError: no scale"),
        ("While executing %conv2d : [num_users=1]\nOriginal traceback:\nFile x", "ValueError"),
        ("no scale. Use tlparse to see full graph", "ValueError: no scale."),
    ],
)
def test_what_torch_adds_for_those_who_debug_it_is_left_out(said: str, told: str) -> None:
    assert in_a_line(ValueError(said)) == told
