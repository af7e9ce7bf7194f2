"""Steps of `preprocess` in a project's file: what they become, and what is refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SpecError
from edgekit.runner.processing.geometry import check_steps
from edgekit.specs.inputs import Input
from edgekit.specs.project import Project

TOML = """
[model]
factory = "model.py:net"
[inputs.image]
shape = {shape}
preprocess = {{ from = "uint8 NHWC", {steps} }}
[data]
evaluation = {{ path = "data.npz", licence = "CC0", source = "here" }}
"""


def stated(folder: Path, steps: str, shape: str = "[3, 24, 32]") -> Input:
    (folder / "edgekit.toml").write_text(TOML.format(steps=steps, shape=shape))
    return Project.read(folder).inputs["image"]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (
            'resize = { size = [24, 32], kernel = "area" }',
            [{"resize": {"height": 24, "width": 32, "kernel": "area", "antialias": True}}],
        ),
        (
            'crop = [24, 32], resize = { shorter = 40, kernel = "bicubic", antialias = false }, colour = "BGR"',
            [
                {"colour": "bgr"},
                {"shorter": {"length": 40, "kernel": "bicubic", "antialias": False}},
                {"crop": {"height": 24, "width": 32, "even": True}},
            ],
        ),
        ("crop = { size = [24, 32], half = 'down' }", [{"crop": {"height": 24, "width": 32}}]),
        (
            'letterbox = { size = [22, 32], kernel = "bilinear", place = "corner" }, pad = { top = 2 }',
            [
                {
                    "letterbox": {
                        "height": 22,
                        "width": 32,
                        "kernel": "bilinear",
                        "antialias": True,
                        "fill": 114,
                        "corner": True,
                    }
                },
                {"pad": {"top": 2, "bottom": 0, "left": 0, "right": 0, "fill": 0}},
            ],
        ),
    ],
)
def test_steps_become_what_the_runner_takes(tmp_path: Path, text: str, steps: list[dict[str, Any]]) -> None:
    spec = stated(tmp_path, text)
    assert list(spec.steps) == steps
    assert check_steps(steps) == steps
    assert (spec.raw_shape, spec.picture_shape) == ((24, 32, 3), (0, 0, 3))


def test_grey_is_made_of_colour(tmp_path: Path) -> None:
    spec = stated(tmp_path, 'colour = "grey", crop = [24, 32]', "[1, 24, 32]")
    assert (spec.raw_shape, spec.picture_shape) == ((24, 32, 1), (0, 0, 3))


def test_without_steps_nothing_is_new(tmp_path: Path) -> None:
    spec = stated(tmp_path, "scale = 0.5")
    assert (spec.steps, spec.picture_shape) == ((), spec.raw_shape)
    assert spec.preprocess
    assert set(spec.preprocess.model_dump(mode="json")) == {"from_", "scale", "mean", "std"}
    # RGB is the order of every picture.
    assert stated(tmp_path, 'colour = "RGB"').steps == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('resize = { size = [24, 30], kernel = "area" }', r"gives pictures of \[24, 30\], 'shape' states \[24, 32\]"),
        ('resize = { size = [24, 0], kernel = "area" }', r"resize\.size\.1': input should be greater than 0"),
        ('resize = { size = [24, 32], kernel = "lanczos" }', r"resize\.kernel': input should be 'nearest', 'bilinear'"),
        ("resize = { size = [24, 32] }", r"resize\.kernel': is missing"),
        ('resize = { size = [24, 32], shorter = 24, kernel = "area" }', "'size' = .* or 'shorter', one of them"),
        ('resize = { shorter = 24, kernel = "area" }', "after 'shorter' the other side has any length: add crop"),
        (
            'resize = { shorter = 24, kernel = "area" }, crop = [24, 32]',
            r"'crop' \[24, 32\] is larger than 'shorter', 24",
        ),
        ('resize = { size = [20, 32], kernel = "area" }, crop = [24, 32]', "larger than the size before it"),
        (
            'resize = { size = [24, 32], kernel = "area" }, letterbox = { size = [24, 32], kernel = "area" }',
            "'resize' and 'letterbox' are both a way to a size",
        ),
        (
            'letterbox = { size = [24, 32], kernel = "area", fill = 256 }',
            r"letterbox\.fill': input should be less than",
        ),
        ("crop = { size = [24, 32], half = 'up' }", r"crop\.half': input should be 'even' or 'down'"),
        ('colour = "grey"', "'grey' has 1 channels, 'shape' states 3"),
        ('colour = "HSV"', r"preprocess\.colour': input should be 'BGR' or 'grey'"),
        ('rezise = { size = [24, 32], kernel = "area" }', r"preprocess\.rezise': no such key"),
        ('colour = "grey", mean = [0.5, 0.4, 0.3]', "'grey' has 1 channels"),
    ],
)
def test_steps_that_cannot_be_are_refused_by_their_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        stated(tmp_path, text)


def test_means_of_three_colours_do_not_fit_grey(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="'mean' needs 1 value, as the input has one channel"):
        stated(tmp_path, 'colour = "grey", mean = [0.5, 0.4, 0.3], crop = [24, 32]', "[1, 24, 32]")
