"""Systematic noise on picture files themselves: another decoder, quality, kernel, letterbox and crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.ir.measurement import Array
from edgekit.perturb import picture_files as files_module
from edgekit.perturb.input_domain import input_domains
from edgekit.perturb.picture_files import PictureFiles, picture_files
from edgekit.perturb.pictures import file_changes
from edgekit.perturb.pictures.digital import jpeg_coded
from edgekit.perturb.pictures.file_changes import FILE_CHANGES, unfit
from edgekit.perturb.registry import PerturbationPlan, perturbation_plan
from edgekit.runner.processing.steps import process
from edgekit.samples import Samples, load_samples
from edgekit.specs.project import Project

TOML = """
[model]
factory = "model.py:make"
classes = ["ant", "cow"]

[inputs.image]
shape = [3, 16, 16]
preprocess = {{ from = "uint8 NHWC", {steps} scale = {scale} }}

[data]
evaluation = {{ path = "set", licence = "none", source = "made up" }}
"""
STEPS = "resize = { shorter = 20, kernel = 'bilinear' }, crop = [16, 16],"
WHITE = 0.00392156862745098


def scene(height: int, width: int, seed: int) -> Array:
    """Smooth colours with sharp edges, uint8 [height, width, 3]."""
    rows, columns = np.mgrid[:height, :width] / 9
    waves = [128 + 90 * np.sin(rows * (1 + k) + seed) * np.cos(columns - k) for k in range(3)]
    picture = np.stack(waves, -1)
    picture[height // 3 : height // 2, width // 4 :] = (230, 30, 40)
    return picture.astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four JPEG files, one of them turned, and two of PNG."""
    for i, name in enumerate(("ant/0.jpg", "ant/1.jpg", "ant/2.png", "cow/3.jpg", "cow/4.jpg", "cow/5.png")):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image, exif = Image.fromarray(scene(41 + i, 56 - i, i)), Image.Exif()
        exif[0x0112] = 6 if i == 3 else 1
        if name.endswith("jpg"):
            image.save(path, quality=90, subsampling=2, exif=exif)
        else:
            image.save(path)
    return tmp_path


def opened(folder: Path, steps: str = STEPS, scale: float = WHITE) -> tuple[Project, Samples]:
    (folder / "edgekit.toml").write_text(TOML.format(steps=steps, scale=scale))
    project = Project.read(folder)
    return project, load_samples(project, "evaluation")


def found(project: Project, samples: Samples) -> PictureFiles:
    files = picture_files(project, samples, input_domains(project)[0])
    assert isinstance(files, PictureFiles), files
    return files


def reason(project: Project, samples: Samples) -> str:
    files = picture_files(project, samples, input_domains(project)[0])
    assert isinstance(files, str)
    return files


def plan(project: Project, samples: Samples) -> PerturbationPlan:
    return perturbation_plan(samples, input_domains(project), ["systematic"]).on_files(found(project, samples))


def made(project: Project, samples: Samples, name: str) -> Array:
    """Samples under the first condition of a perturbation."""
    (chosen, *_) = [each.make() for each in plan(project, samples).sets(samples) if each.name.startswith(name)]
    assert chosen.labels is samples.labels
    return chosen.inputs["image"]


def raw(folder: Path, samples: Samples) -> list[Array]:
    """Pixels of the files as Pillow has them, but for the turned one, which the first rows of a test leave out."""
    assert samples.metadata
    return [np.asarray(Image.open(folder / "set" / name)) for name in samples.metadata.ids]


def stated(pictures: Sequence[Array], project: Project) -> Array:
    return np.stack([process(project.inputs["image"].steps, np.ascontiguousarray(each)) for each in pictures])


def test_kernels_and_a_camera_s_jpeg_are_swapped_at_the_size_of_the_file(folder: Path) -> None:
    project, samples = opened(folder)
    pictures, changed = raw(folder, samples), {name: made(project, samples, name) for name in FILE_CHANGES}
    upright = [i for i, name in enumerate(samples.metadata.ids if samples.metadata else ()) if name != "cow/3.jpg"]
    other = process([{"shorter": {"length": 20, "kernel": "nearest", "antialias": True}}], pictures[0])
    centre = [slice((size - 16 + 1) // 2, (size - 16 + 1) // 2 + 16) for size in other.shape[:2]]
    assert np.abs(changed["resized by nearest"][0].astype(int) - other[centre[0], centre[1]]).max() <= 0
    coded = stated([jpeg_coded(each, 95) for each in pictures], project)
    np.testing.assert_array_equal(changed["camera's JPEG"][upright], coded[upright])
    height, width = pictures[0].shape[:2]
    sharp = Image.fromarray(pictures[0]).resize((int(20 * width / height), 20), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(changed["resized by Lanczos"][0], stated([np.asarray(sharp)], project)[0])
    # Every change is one of the model's pixels, and no two are alike.
    assert {each.shape for each in changed.values()} == {samples.inputs["image"].shape}
    everything = [samples.inputs["image"], *changed.values()]
    assert len({each.tobytes() for each in everything}) == len(everything)


def test_colours_of_a_jpeg_are_repeated_and_other_files_stay(folder: Path) -> None:
    project, samples = opened(folder)
    plain, clean = made(project, samples, "plain JPEG decoder"), samples.inputs["image"]
    assert samples.metadata
    jpeg = np.array([name.endswith("jpg") for name in samples.metadata.ids])
    np.testing.assert_array_equal(plain[~jpeg], clean[~jpeg])
    assert (plain[jpeg] != clean[jpeg]).any((1, 2, 3)).all()
    luma = np.array([0.299, 0.587, 0.114])
    apart = np.abs((plain[jpeg].astype(float) - clean[jpeg]) @ luma)
    # The turned file is among them: its luma would be far off if it were not upright.
    assert np.median(apart) < 1
    files = found(project, samples)
    assert [file_changes.halved_colours(each) for each in files.files] == [(2, 2) if one else None for one in jpeg]


def test_a_letterbox_holds_the_whole_picture_and_a_crop_takes_the_picture_s_own_pixels(folder: Path) -> None:
    project, samples = opened(folder)
    boxed = made(project, samples, "letterbox")
    assert (boxed[0, [0, -1]] == 0).all()
    assert (boxed[0, 8] != 0).any()
    crop, clean = made(project, samples, "crop off by one"), samples.inputs["image"]
    np.testing.assert_array_equal(crop[:, :-1, :-1], clean[:, 1:, 1:])
    assert (crop[:, -1] != crop[:, -2]).any()


def test_what_the_project_does_not_state_stays_on_the_pixels(folder: Path) -> None:
    project, samples = opened(folder, "resize = { size = [16, 16], kernel = 'nearest' },")
    by_name = {each.perturbation.name: each for each in plan(project, samples).fitting}
    files = {name for name, each in by_name.items() if each.source}
    assert files == set(FILE_CHANGES) - {"resized by nearest", "crop off by one"}
    names = ("resized by nearest", "crop off by one")
    assert [unfit(name, found(project, samples)) for name in names] == [
        "the project states this kernel",
        "the project states no crop",
    ]
    for path in (folder / "set").rglob("*.jpg"):
        Image.open(path).resize((16, 16)).save(path.with_suffix(".png"))
        path.unlink()
    for path in (folder / "set").rglob("*.png"):
        Image.open(path).resize((16, 16)).save(path)
    project, samples = opened(folder, "")
    assert {each.perturbation.name for each in plan(project, samples).fitting if each.source} == {"camera's JPEG"}


def test_files_that_are_not_the_samples_are_not_perturbed_and_the_reason_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, samples = opened(folder)
    sets = plan(project, samples).sets(samples)
    assert {each.identity for each in sets} == {each.identity for each in plan(project, samples).sets(samples)}
    assert reason(project, replace(samples, metadata=None)) == "the evaluation data are no folder of files"
    other = folder / "set" / "ant" / "2.png"
    Image.fromarray(scene(43, 54, 9)).save(other)
    assert reason(project, samples) == "the files are no longer those that the samples were made of"
    other.unlink()
    assert reason(project, samples) == "the files do not lie where the names of the samples say"
    monkeypatch.setattr(files_module, "PIXELS", 5000)
    assert reason(project, samples) == (
        "the files have 0 million pixels, more than 0: perturb 2 samples by --set profile.robustness.samples=2"
    )
    monkeypatch.undo()
    project, samples = opened(folder, scale=1 / 16)
    assert reason(project, samples) == "white is 16, and that of a file is 255"
