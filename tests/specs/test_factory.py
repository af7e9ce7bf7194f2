"""`model.py:name`: finding a name in a user's Python file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.errors import HiddenPackage, LoadError, SpecError
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


@pytest.mark.parametrize("inits", [(), ("",), ("nets",), ("", "nets", "nets/blocks")])
def test_relative_imports_work_with_and_without_init_files(root: Path, inits: tuple[str, ...]) -> None:
    (root / "nets" / "blocks").mkdir(parents=True)
    (root / "nets" / "blocks" / "conv.py").write_text("from ...sizes import WIDTH\nwidth = WIDTH + 1\n")
    (root / "nets" / "small.py").write_text(
        "from .blocks.conv import width\nfrom .blocks import conv\nfrom ..sizes import WIDTH\n"
        "net = (width, conv.width, WIDTH)\n"
    )
    (root / "sizes.py").write_text("WIDTH = 7\n")
    for folder in inits:
        (root / folder / "__init__.py").write_text("")
    assert resolve("nets/small.py:net", root) == (8, 8, 7)


def test_the_init_file_of_the_project_runs_once_and_may_import_the_model(root: Path) -> None:
    (root / "__init__.py").write_text("from .model import network\nCOUNT = [1]\n")
    (root / "other.py").write_text("from . import COUNT, network\nCOUNT.append(2)\n")
    assert resolve("other.py:COUNT", root) == [1, 2]
    assert resolve("other.py:network", root) is resolve("model.py:network", root)


def test_a_file_imports_what_lies_beside_it_as_if_it_were_run_there(root: Path) -> None:
    (root / "nets").mkdir()
    (root / "nets" / "next_to_it.py").write_text("SIZE = 5\n")
    (root / "nets" / "small.py").write_text("from next_to_it import SIZE\nfrom beside import SIZE as OUTER\n")
    assert resolve("nets/small.py:SIZE", root) == 5
    assert resolve("nets/small.py:OUTER", root) == 3
    assert sys.path[:2] == [str(root), str(root / "nets")]
    sys.modules.pop("next_to_it")


def test_relative_imports_end_at_the_project(root: Path) -> None:
    (root / "model.py").write_text("from ..outside import net\n")
    with pytest.raises(LoadError, match="beyond top-level package") as error:
        resolve("model.py:net", root)
    assert str(root) in str(error.value.hint)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("torch.py", "the package 'torch'"),
        ("random.py", "Python's own module 'random'"),
        ("onnx/__init__.py", "'onnx'"),
    ],
)
def test_a_name_that_hides_a_package_is_refused_before_anything_runs(root: Path, name: str, package: str) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("")
    (root / "model.py").write_text("1 / 0\n")
    with pytest.raises(HiddenPackage, match=package) as error:
        resolve("model.py:network", root)
    own = name.partition("/")[0]
    assert f"your '{own}' hides" in str(error.value)
    assert error.value.hint == f"rename it, to 'my_{own}' for example"


def test_a_folder_of_files_that_has_the_name_of_a_package_hides_nothing(root: Path) -> None:
    (root / "onnx").mkdir()
    (root / "onnx" / "net.onnx").write_text("")
    (root / "test.py").write_text("")
    assert resolve("model.py:network", root)() == 3


def test_a_file_that_hides_an_installed_package_is_named_when_the_import_fails(root: Path) -> None:
    (root / "hypothesis_jsonschema.py").write_text("")  # nobody has it: it hides nothing
    (root / "pytest_timeout.py").write_text("")
    sys.modules.pop("pytest_timeout", None)
    (root / "model.py").write_text("from pytest_timeout import no_such_name\n")
    with pytest.raises(HiddenPackage, match=r"your 'pytest_timeout\.py' hides the package 'pytest_timeout'"):
        resolve("model.py:network", root)
    sys.modules.pop("pytest_timeout", None)
    (root / "model.py").write_text("from hypothesis_jsonschema import no_such_name\n")
    with pytest.raises(LoadError, match="no_such_name"):
        resolve("model.py:network", root)
    sys.modules.pop("hypothesis_jsonschema", None)
