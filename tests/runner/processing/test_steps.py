"""Steps of processing: pixels, geometry and its inverse, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgekit.runner.errors import RunnerError
from edgekit.runner.processing import geometry
from edgekit.runner.processing.geometry import check_steps, placement, words
from edgekit.runner.processing.golden import golden_digest, pattern
from edgekit.runner.processing.steps import process

KERNEL = {"kernel": "bilinear", "antialias": True}
LETTERBOX = {"letterbox": {"height": 64, "width": 64, **KERNEL, "fill": 114, "corner": False}}
SHORTER = {"shorter": {"length": 32, **KERNEL}}
CROP = {"crop": {"height": 24, "width": 24}}
PAD = {"pad": {"top": 1, "bottom": 2, "left": 3, "right": 4, "fill": 9}}


def test_a_letterbox_keeps_the_proportions_and_fills_both_sides() -> None:
    boxed = process([LETTERBOX], pattern(50, 100, 3))
    assert boxed.shape == (64, 64, 3)
    assert (boxed[:16] == 114).all()
    assert (boxed[48:] == 114).all()
    inner = Image.fromarray(pattern(50, 100, 3)).resize((64, 32), Image.Resampling.BILINEAR)
    assert np.abs(boxed[16:48].astype(int) - np.asarray(inner)).max() <= 1


def test_a_letterbox_in_the_corner_fills_below_and_to_the_right() -> None:
    corner = {"letterbox": {**LETTERBOX["letterbox"], "corner": True}}
    boxed = process([corner], pattern(100, 50, 3))
    assert (boxed[:, 32:] == 114).all()
    np.testing.assert_array_equal(boxed[:, :32], process([LETTERBOX], pattern(100, 50, 3))[:, 16:48])


def test_the_shorter_side_and_a_crop_are_what_image_networks_are_evaluated_with() -> None:
    picture = pattern(90, 61, 3)
    resized = np.asarray(Image.fromarray(picture).resize((32, 32 * 90 // 61), Image.Resampling.BILINEAR))
    top = (resized.shape[0] - 24) // 2
    cropped = process([SHORTER, CROP], picture)
    assert np.abs(cropped.astype(int) - resized[top : top + 24, 4:28]).max() <= 1


@pytest.mark.parametrize("size", [(24, 24), (25, 26), (26, 27), (27, 28), (29, 25)])
def test_the_middle_is_that_of_torchvision_or_rounded_down(size: tuple[int, int]) -> None:
    picture = pattern(*size, 3)
    top, left = (round((length - 24) / 2.0) for length in size)  # torchvision.transforms.functional.center_crop
    even = {"crop": {**CROP["crop"], "even": True}}
    np.testing.assert_array_equal(process([even], picture), picture[top : top + 24, left : left + 24])
    top, left = ((length - 24) // 2 for length in size)
    np.testing.assert_array_equal(process([CROP], picture), picture[top : top + 24, left : left + 24])
    assert placement([even], *size).y.forward(round((size[0] - 24) / 2.0)) == 0


def test_steps_are_told_in_words() -> None:
    told = words([{"colour": "bgr"}, SHORTER, {"crop": {**CROP["crop"], "even": True}}, PAD, LETTERBOX])
    assert told == (
        "colours BGR, shorter side 32 by bilinear with antialias, crop 24 x 24 (height x width) from the middle, half "
        "a pixel to the even one, pad 1 above, 2 below, 3 left, 4 right with 9, letterbox 64 x 64 (height x width) by "
        "bilinear with antialias, in the middle, filled with 114"
    )


def test_padding_and_colours() -> None:
    picture = pattern(5, 6, 3)
    padded = process([PAD], picture)
    assert padded.shape == (8, 13, 3)
    np.testing.assert_array_equal(padded[1:6, 3:9], picture)
    assert padded.sum() == picture.astype(int).sum() + 9 * 3 * (8 * 13 - 5 * 6)
    np.testing.assert_array_equal(process([{"colour": "bgr"}], picture), picture[..., ::-1])
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    np.testing.assert_array_equal(process([{"colour": "grey"}], picture)[..., 0], grey)


@pytest.mark.parametrize("steps", [[LETTERBOX], [SHORTER, CROP], [PAD], [SHORTER, CROP, PAD]])
def test_a_place_in_the_picture_is_found_in_the_input_and_back(steps: list[dict[str, Any]]) -> None:
    picture = np.zeros((120, 80, 1), np.uint8)
    picture[50:70, 30:50] = 255
    place = placement(steps, 120, 80)
    result = process(steps, picture)
    assert result.shape[:2] == (place.height, place.width)
    top, left = place.y.forward(50), place.x.forward(30)
    bright = np.argwhere(result[..., 0] > 127)
    assert bright.min(0) == pytest.approx([top, left], abs=1)
    assert bright.max(0) + 1 == pytest.approx([place.y.forward(70), place.x.forward(50)], abs=1)
    assert place.y.inverse(top) == pytest.approx(50)
    assert place.x.inverse(np.array([left])) == pytest.approx([30])


def test_a_picture_smaller_than_its_crop_is_refused() -> None:
    with pytest.raises(RunnerError, match="80 x 20 cannot be cropped to 24 x 24"):
        process([CROP], pattern(20, 80, 3))


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), "u1"),
    ],
)
def test_what_is_no_picture_is_refused(picture: Any) -> None:
    with pytest.raises(RunnerError, match="a picture is uint8"):
        process([LETTERBOX], picture)


def test_a_picture_that_would_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "LARGEST", 1 << 20)
    with pytest.raises(RunnerError, match="100 x 20000 is larger"):
        process([LETTERBOX], np.zeros((20000, 100, 1), np.uint8))
    with pytest.raises(RunnerError, match="has more than 65,535 pixels on a side"):
        process([LETTERBOX], np.zeros((1, 65_536, 1), np.uint8))
    # One line of pixels, scaled up by its shorter side.
    with pytest.raises(RunnerError, match="is larger"):
        process([SHORTER], np.zeros((1, 2000, 1), np.uint8))


@pytest.mark.parametrize(
    "step",
    [
        {"resize": {"height": 4, "width": 4, "kernel": "lanczos", "antialias": True}},
        {"resize": {"height": 0, "width": 4, **KERNEL}},
        {"resize": {"height": 4, "width": 4}},
        {"colour": "cmyk"},
        {"run": "rm"},
        {"crop": {"height": 4, "width": True}},
        {"crop": {"height": 4, "width": 4, "even": 1}},
        {"resize": {"height": 4, "width": 4, "kernel": "area", "antialias": "no"}},
        {"pad": {"top": -1, "bottom": 2, "left": 3, "right": 4, "fill": 9}},
        {"pad": {"top": 1, "bottom": 2, "left": 3, "right": 4, "fill": 256}},
        {**CROP, **PAD},
        "crop",
    ],
)
def test_a_step_that_the_runner_does_not_know_is_refused(step: Any) -> None:
    with pytest.raises(RunnerError, match="no processing step"):
        check_steps([step])


def test_the_golden_digest_tells_other_steps_apart() -> None:
    programs: list[list[dict[str, Any]]] = [[LETTERBOX], [SHORTER, CROP], [{"colour": "bgr"}], [PAD]]
    assert len({golden_digest(steps, 3) for steps in programs}) == 4
    # The bytes are promised to every machine that has the bundle.
    assert golden_digest([LETTERBOX], 3) == "68493c860c33082ad7111d08b327c9828b9cc9c776e33703fe40737322625191"
