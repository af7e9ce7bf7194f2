"""How names find what packages register. A package here is a folder with metadata, as pip leaves one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgekit import plugins
from edgekit.errors import Ambiguous, MissingExtra, UnknownName
from edgekit.plugins import Group


def install(site: Path, package: str, group: Group, points: str) -> None:
    """Leave in `site` what pip would of a package that registers `points`."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[edgekit.{group}]\n{points}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_the_built_in_backends_register_as_anybody_s_would() -> None:
    assert set(plugins.names("backends")) >= {"executorch", "onnx", "tflite"}
    package, version = plugins.distribution("backends", "onnx")
    assert package == "edgekit"
    assert version[0].isdigit()


def test_what_another_package_registers_is_found_and_loaded(site: Path) -> None:
    install(site, "hello", "catalogs", "hello = pathlib:Path")
    assert "hello" in plugins.names("catalogs")
    assert plugins.load("catalogs", "hello") is Path
    assert plugins.load_all("catalogs")["hello"] is Path
    assert plugins.distribution("catalogs", "hello") == ("hello", "1.0")


@pytest.mark.parametrize(
    ("group", "name", "message", "hint"),
    [
        ("backends", "tflit", "no backend is named 'tflit'", "did you mean 'tflite'?"),
        ("tasks", "clasification", "no task is named 'clasification'", "did you mean 'classification'?"),
        ("meters", "wattmetre", "no meter is named 'wattmetre'", "did you mean 'wattmeter'?"),
    ],
)
def test_an_unknown_name_gets_the_nearest(site: Path, group: Group, name: str, message: str, hint: str) -> None:
    install(site, "first", "meters", "wattmeter = pathlib:Path")
    with pytest.raises(UnknownName, match=message) as error:
        plugins.load(group, name)
    assert error.value.hint == hint


def test_two_packages_with_one_name_are_an_error_that_names_both(site: Path) -> None:
    install(site, "first", "catalogs", "boards = pathlib:Path")
    install(site, "second", "catalogs", "boards = pathlib:PurePath")
    with pytest.raises(Ambiguous, match="two catalogs are named 'boards'") as error:
        plugins.names("catalogs")
    assert "'pathlib:Path' of first" in str(error.value)
    assert "'pathlib:PurePath' of second" in str(error.value)


def test_two_packages_with_one_name_are_an_error_even_if_they_register_the_same(site: Path) -> None:
    install(site, "first", "catalogs", "boards = pathlib:Path")
    install(site, "second", "catalogs", "boards = pathlib:Path")
    with pytest.raises(Ambiguous, match=r"of first .*of second|of second .*of first"):
        plugins.load_all("catalogs")


def test_a_name_may_stand_in_two_groups(site: Path) -> None:
    install(site, "first", "catalogs", "boards = pathlib:Path\n[edgekit.meters]\nboards = pathlib:PurePath")
    assert plugins.load("catalogs", "boards") is Path
    assert "boards" in plugins.names("meters")


def test_a_dependency_that_is_missing_is_named_with_the_extra_that_brings_it(site: Path) -> None:
    install(site, "first", "catalogs", "boards = not_installed_here:folder [boards]")
    with pytest.raises(MissingExtra, match="'boards' needs 'not_installed_here', which is not installed") as error:
        plugins.load("catalogs", "boards")
    assert error.value.hint == "from the wheel or checkout of first: pip install 'PATH[boards]'"
