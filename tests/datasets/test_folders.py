"""Class folders go by their names, and what a person would not take for a class or a picture is left alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.datasets.classes import class_names
from edgekit.errors import ClassMismatch, DataError, EmptyClass
from edgekit.samples import load_samples
from edgekit.specs.project import Project

TOML = """
[model]
factory = "model.py:make"
{classes}

[inputs.image]
shape = [3, 2, 2]
preprocess = {{ from = "uint8 NHWC" }}

[data]
calibration = {{ path = "calibration", licence = "none", source = "made up" }}
evaluation = {{ path = "set", licence = "none", source = "made up" }}
"""


def project(folder: Path, classes: Sequence[str] | None) -> Project:
    stated = "" if classes is None else f"classes = {list(classes)}"
    (folder / "edgekit.toml").write_text(TOML.format(classes=stated))
    return Project.read(folder)


def pictures(folder: Path, brightness: int, count: int = 3) -> None:
    """So many pictures of one brightness, by which a test knows them again."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.fromarray(np.full((2, 2, 3), brightness, np.uint8)).save(folder / f"{i}.png")


def labels_by_brightness(project: Project, role: str = "evaluation") -> dict[int, int]:
    samples = load_samples(project, role)
    seen = set(zip(samples.inputs["image"][:, 0, 0, 0].tolist(), samples.labels.tolist(), strict=True))
    assert len(seen) == len(dict(seen))
    return dict(seen)


def test_a_folder_is_its_class_by_name_whatever_the_order(tmp_path: Path) -> None:
    for brightness, name in enumerate(("zebra", "ant", "cow")):
        pictures(tmp_path / "set" / name, brightness)
    assert labels_by_brightness(project(tmp_path, ("zebra", "ant", "cow"))) == {0: 0, 1: 1, 2: 2}
    assert labels_by_brightness(project(tmp_path, ("cow", "zebra", "ant"))) == {2: 0, 0: 1, 1: 2}


def test_a_number_ahead_of_the_name_only_orders_the_folders(tmp_path: Path) -> None:
    for brightness, name in enumerate(("001.zebra", "002.ant", "3_3d")):
        pictures(tmp_path / "set" / name, brightness)
    assert labels_by_brightness(project(tmp_path, ("ant", "3d", "zebra"))) == {1: 0, 2: 1, 0: 2}


def test_a_letter_with_an_accent_has_one_writing(tmp_path: Path) -> None:
    pictures(tmp_path / "set" / unicodedata.normalize("NFD", "Käse"), 7)
    assert labels_by_brightness(project(tmp_path, (unicodedata.normalize("NFC", "Käse"),))) == {7: 0}


@pytest.mark.parametrize("litter", [".ipynb_checkpoints", ".git", "__MACOSX", "@eaDir"])
def test_a_folder_that_a_person_would_not_see_is_no_class(tmp_path: Path, litter: str) -> None:
    for brightness, name in enumerate((litter, "ant", "cow")):
        pictures(tmp_path / "set" / name, brightness)
    described = project(tmp_path, None)
    assert class_names(described) == ("ant", "cow")
    assert labels_by_brightness(described) == {1: 0, 2: 1}
    assert load_samples(described, "evaluation").sampling.left_out == ()  # type: ignore[union-attr]


def test_hidden_files_are_neither_read_nor_counted(tmp_path: Path) -> None:
    pictures(tmp_path / "set" / "ant", 1)
    (tmp_path / "set" / "ant" / "._0.png").write_bytes(b"of a Mac")
    (tmp_path / "set" / "ant" / "Thumbs.db").write_bytes(b"of Windows")
    samples = load_samples(project(tmp_path, ("ant",)), "evaluation")
    assert (len(samples), samples.sampling.left_out) == (3, ())  # type: ignore[union-attr]


def test_a_folder_that_is_no_class_is_named_with_the_nearest_class(tmp_path: Path) -> None:
    for name in ("zebra", "aunt", "cow"):
        pictures(tmp_path / "set" / name, 1)
    with pytest.raises(ClassMismatch, match="the folder 'aunt' is no class of the project") as refused:
        load_samples(project(tmp_path, ("ant", "cow", "zebra")), "evaluation")
    assert refused.value.hint == "did you mean 'ant'?"


def test_two_folders_of_one_class_and_two_classes_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("crane", "1_crane"):
        pictures(tmp_path / "set" / name, 1)
    with pytest.raises(ClassMismatch, match="do not go together one to one"):
        load_samples(project(tmp_path, ("crane", "cow")), "evaluation")
    pictures(tmp_path / "calibration" / "crane", 1)
    with pytest.raises(ClassMismatch, match="do not go together one to one"):
        load_samples(project(tmp_path, ("crane", "crane")), "calibration")


def test_a_class_without_a_folder_is_an_error_where_accuracy_is_measured(tmp_path: Path) -> None:
    for role in ("set", "calibration"):
        pictures(tmp_path / role / "cow", 2)
    described = project(tmp_path, ("ant", "cow", "emu"))
    with pytest.raises(EmptyClass, match="has no folder for 2 of 3 classes: 'ant', 'emu'"):
        load_samples(described, "evaluation")
    assert labels_by_brightness(described, "calibration") == {2: 1}


def test_a_class_of_pictures_that_are_not_read_is_an_error_that_says_what_lies_there(tmp_path: Path) -> None:
    for name in ("ant", "cow"):
        pictures(tmp_path / "set" / name, 1)
    for file in (tmp_path / "set" / "cow").iterdir():
        file.rename(file.with_suffix(".heic"))
    for classes in (None, ("ant", "cow")):
        with pytest.raises(EmptyClass, match=r"of class 'cow' holds no picture .*: 3 \.heic in 'cow'"):
            load_samples(project(tmp_path, classes), "evaluation")


def test_what_is_not_read_is_counted(tmp_path: Path) -> None:
    for name in ("ant", "cow"):
        pictures(tmp_path / "set" / name, 1)
    (tmp_path / "set" / "cow" / "0.png").rename(tmp_path / "set" / "cow" / "0.heic")
    pictures(tmp_path / "set" / "cow" / "more", 1)
    pictures(tmp_path / "set", 1, count=2)
    samples = load_samples(project(tmp_path, ("ant", "cow")), "evaluation")
    assert len(samples) == 5
    assert samples.sampling
    unread, stray = samples.sampling.left_out
    assert "2 files of the evaluation data" in unread
    assert "1 .heic in 'cow' ('0.heic'), 1 folders in 'cow' ('more')" in unread
    assert stray.startswith("2 pictures of the evaluation data")


def test_without_stated_classes_every_set_goes_by_the_evaluation_folders(tmp_path: Path) -> None:
    for brightness, name in enumerate(("ant", "cow", "emu")):
        pictures(tmp_path / "set" / name, brightness)
    pictures(tmp_path / "calibration" / "emu", 9)
    assert labels_by_brightness(project(tmp_path, None), "calibration") == {9: 2}


def test_a_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    pictures(tmp_path / "set", 1)
    with pytest.raises(DataError, match="'set' holds no class folder"):
        load_samples(project(tmp_path, None), "evaluation")
