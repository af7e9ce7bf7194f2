"""Pictures of any size, made to the model's input by the steps of `preprocess`, from every kind of data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.datasets import pictures
from edgekit.errors import PictureError, SampleUnfit
from edgekit.ir.measurement import Array
from edgekit.runner.processing.golden import pattern
from edgekit.runner.processing.steps import process
from edgekit.samples import load_samples
from edgekit.specs.project import Project

TOML = """
[model]
factory = "model.py:make"
classes = ["tall", "wide"]

[inputs.image]
shape = {shape}
preprocess = {{ from = "uint8 NHWC", {steps} }}

[data]
evaluation = {{ {data}, licence = "none", source = "made up" }}
"""
RESIZE = 'resize = { size = [16, 24], kernel = "bilinear" }'
CROP = 'resize = { shorter = 24, kernel = "bilinear" }, crop = [16, 24]'
SIZES = {"tall": (90, 40), "wide": (33, 71)}


def project(folder: Path, steps: str, shape: str = "[3, 16, 24]", data: str = 'path = "set"') -> Project:
    (folder / "edgekit.toml").write_text(TOML.format(steps=steps, shape=shape, data=data))
    return Project.read(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in SIZES.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.fromarray(pattern(*size, 3)).save(tmp_path / "set" / name / "1.png")
    return tmp_path


def of(folder: Path, steps: str, shape: str = "[3, 16, 24]", data: str = 'path = "set"') -> Array:
    images: Array = load_samples(project(folder, steps, shape, data), "evaluation").inputs["image"]
    return images


@pytest.mark.parametrize("steps", [RESIZE, CROP])
def test_a_folder_may_hold_pictures_of_mixed_sizes(folder: Path, steps: str) -> None:
    images = of(folder, steps)
    stated = project(folder, steps).inputs["image"].steps
    expected = np.stack([process(stated, pattern(*size, 3)) for size in SIZES.values()])
    np.testing.assert_array_equal(images, expected)


def test_a_loader_gives_arrays_of_any_size(folder: Path) -> None:
    (folder / "data.py").write_text(
        "import numpy as np\nfrom edgekit.runner.processing.golden import pattern\n\n\n"
        "def load():\n    return [(pattern(90, 40, 3), 0), (pattern(33, 71, 3), 1)]\n"
    )
    np.testing.assert_array_equal(of(folder, RESIZE, data='loader = "data.py:load"'), of(folder, RESIZE))


def test_arrays_of_one_size_are_resized_too(folder: Path) -> None:
    np.savez(folder / "data.npz", image=pattern(90, 40, 3)[None], labels=np.zeros(1, np.int64))
    np.testing.assert_array_equal(of(folder, RESIZE, data='path = "data.npz"'), of(folder, RESIZE)[:1])


def test_orders_of_colour(folder: Path) -> None:
    np.testing.assert_array_equal(of(folder, f'{RESIZE}, colour = "BGR"'), of(folder, RESIZE)[..., ::-1])
    grey = of(folder, f'{RESIZE}, colour = "grey"', "[1, 16, 24]")
    oracle = Image.fromarray(pattern(90, 40, 3)).convert("L").resize((24, 16), Image.Resampling.BILINEAR)
    assert np.abs(grey[0, ..., 0].astype(int) - np.asarray(oracle)).max() <= 1


def test_a_picture_smaller_than_its_crop_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(SampleUnfit, match=r"sample 0: 'image': a picture of 40 x 90 cannot be cropped to 48 x 16"):
        of(folder, "crop = [16, 48]", "[3, 16, 48]")


def test_a_loader_of_other_channels_is_refused(folder: Path) -> None:
    np.savez(folder / "data.npz", image=pattern(90, 40, 1)[None], labels=np.zeros(1, np.int64))
    with pytest.raises(SampleUnfit, match=r"'image' has 1 channel, its steps take 3"):
        of(folder, RESIZE, data='path = "data.npz"')


def test_a_picture_that_is_too_large_is_refused_by_its_header(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST", 1 << 10)
    with pytest.raises(PictureError, match=r"none of 2 .*: 'tall/1\.png' has 40 x 90 pixels, more than 0 million"):
        of(folder, RESIZE)
    monkeypatch.undo()
    Image.new("L", (65_536, 1)).save(folder / "set" / "wide" / "2.png")
    samples = load_samples(project(folder, RESIZE), "evaluation")
    assert samples.sampling
    assert "'wide/2.png' has 65536 x 1 pixels, more than 65,535 on a side" in samples.sampling.left_out[0]
