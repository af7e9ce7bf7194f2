"""Hints for modules that are not there: none may be typed and do harm."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from edgekit.errors import LoadError
from edgekit.specs.factory import resolve
from edgekit.specs.missing_module import companion, missing_module_hint


def hint(module: str, root: Path) -> str:
    return missing_module_hint(module, root, root / "model.py")


@pytest.mark.parametrize(
    ("module", "distribution"),
    [("cv2", "opencv-python-headless"), ("PIL.Image", "pillow"), ("sklearn.svm", "scikit-learn"), ("yaml", "PyYAML"),
     ("skimage", "scikit-image"), ("einops", "einops")],
)  # fmt: skip
def test_a_module_is_installed_by_the_name_of_its_distribution(
    tmp_path: Path, module: str, distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.specs.missing_module._there", lambda name: False)
    assert hint(module, tmp_path) == f"pip install {distribution}"


@pytest.mark.parametrize("module", ["torchvision", "torchaudio", "timm", "ultralytics", "lightning"])
def test_what_depends_on_torch_is_installed_without_dependencies(tmp_path: Path, module: str) -> None:
    assert hint(module, tmp_path).startswith("pip install --no-deps ")


def test_torchvision_is_that_of_the_installed_torch(tmp_path: Path) -> None:
    major, minor, *_ = version("torch").split(".")
    assert companion("torchvision") == f"0.{int(minor) + 15}.*"
    assert companion("torchaudio") == f"{major}.{minor}.*"
    assert f"torchvision==0.{int(minor) + 15}.*" in hint("torchvision", tmp_path)


@pytest.mark.parametrize("module", ["utils", "mynet.layers", "models.common", "config"])
def test_a_name_that_nothing_is_known_of_is_not_installed(tmp_path: Path, module: str) -> None:
    assert "pip" not in hint(module, tmp_path)
    assert f"'{module.partition('.')[0]}'" in hint(module, tmp_path)


def test_a_file_of_the_user_elsewhere_in_the_project_is_pointed_to(tmp_path: Path) -> None:
    (tmp_path / "src" / "nets").mkdir(parents=True)
    (tmp_path / "src" / "nets" / "utils.py").write_text("")
    (tmp_path / "model.py").write_text("import utils.blocks\n")
    with pytest.raises(LoadError, match="No module named 'utils'") as error:
        resolve("model.py:net", tmp_path)
    assert error.value.hint == (
        "'src/nets/utils.py' is not beside 'model.py': import it as 'src.nets.utils', or move it there"
    )


def test_a_file_of_the_user_outside_the_project_is_pointed_to(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "einops.py").write_text("")
    assert hint("einops", root) == f"'{tmp_path / 'einops.py'}' lies outside of the project: copy it into '{root}'"


def test_a_module_that_an_installed_package_lacks_is_not_installed_again(tmp_path: Path) -> None:
    assert hint("numpy.nowhere", tmp_path) == (
        f"the installed 'numpy' {version('numpy')} has no 'numpy.nowhere': is the code for another version of it?"
    )


def test_a_relative_import_that_fails_names_what_the_user_wrote(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("from .layers import Block\n")
    with pytest.raises(LoadError) as error:
        resolve("model.py:net", tmp_path)
    assert "edgekit_project" not in f"{error.value} {error.value.hint}"
    assert "'layers'" in f"{error.value.hint}"
