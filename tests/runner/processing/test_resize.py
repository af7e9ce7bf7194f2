"""Resizing: the values of Pillow with antialias, and of torch without; the same bytes everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from edgekit.ir.measurement import Array
from edgekit.runner.processing import resize as module
from edgekit.runner.processing.resize import resize

SIZES = [((37, 53), (16, 24)), ((120, 160), (28, 28)), ((20, 30), (64, 48)), ((511, 33), (9, 96)), ((5, 7), (5, 3))]
PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX}

every_size = pytest.mark.parametrize(("before", "after"), SIZES)


def noise(height: int, width: int) -> Array:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def by_torch(pixels: Array, size: tuple[int, int], mode: str, antialias: bool = False) -> Array:
    """Values of `interpolate` in double precision, before they are rounded, [H, W, C]."""
    batch = torch.from_numpy(pixels).permute(2, 0, 1)[None].double()
    options = {} if mode == "nearest-exact" else {"align_corners": False, "antialias": antialias}
    resized = torch.nn.functional.interpolate(batch, size=size, mode=mode, **options)
    values: Array = resized[0].permute(1, 2, 0).clamp(0, 255).numpy()
    return values


@every_size
@pytest.mark.parametrize("kernel", PILLOW)
def test_with_antialias_it_is_pillow_byte_for_byte(
    before: tuple[int, int], after: tuple[int, int], kernel: str
) -> None:
    pixels = noise(*before)
    # Rows first, as all versions up to 12 do: Pillow 13 begins with the columns where they shrink much more.
    across = Image.fromarray(pixels).resize((after[1], before[0]), PILLOW[kernel])
    oracle = np.asarray(across.resize(after[::-1], PILLOW[kernel]))
    np.testing.assert_array_equal(resize(pixels, *after, kernel, True), oracle)


@every_size
@pytest.mark.parametrize("kernel", ["bilinear", "area"])
def test_with_antialias_it_is_any_pillow_but_for_a_level(
    before: tuple[int, int], after: tuple[int, int], kernel: str
) -> None:
    pixels = noise(*before)
    oracle = np.asarray(Image.fromarray(pixels).resize(after[::-1], PILLOW[kernel])).astype(int)
    assert np.abs(resize(pixels, *after, kernel, True) - oracle).max() <= 1


@pytest.mark.parametrize("antialias", [True, False])
def test_pieces_of_a_picture_are_the_picture(antialias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(90, 70)
    whole = resize(pixels, 40, 33, "bicubic", antialias)
    monkeypatch.setattr(module, "PIECE", 500)
    monkeypatch.setattr(module, "BLOCK", 3)
    np.testing.assert_array_equal(resize(pixels, 40, 33, "bicubic", antialias), whole)


@every_size
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_without_antialias_it_is_torch(before: tuple[int, int], after: tuple[int, int], kernel: str) -> None:
    pixels = noise(*before)
    assert np.abs(resize(pixels, *after, kernel, False) - by_torch(pixels, after, kernel)).max() <= 1


@every_size
def test_bilinear_with_antialias_is_torch(before: tuple[int, int], after: tuple[int, int]) -> None:
    pixels = noise(*before)
    assert np.abs(resize(pixels, *after, "bilinear", True) - by_torch(pixels, after, "bilinear", True)).max() <= 1.5


@every_size
def test_nearest_takes_the_pixel_around_the_centre(before: tuple[int, int], after: tuple[int, int]) -> None:
    pixels = noise(*before)
    np.testing.assert_array_equal(resize(pixels, *after, "nearest", False), by_torch(pixels, after, "nearest-exact"))


def test_bilinear_without_antialias_by_opencvs_definition() -> None:
    # INTER_LINEAR: the value at (x + 0.5) * scale - 0.5, between two neighbours; the edge is repeated.
    row = np.array([0, 100, 200, 40], np.uint8).reshape(1, 4, 1)
    assert resize(row, 1, 8, "bilinear", False).ravel().tolist() == [0, 25, 75, 125, 175, 160, 80, 40]
    assert resize(row, 1, 2, "bilinear", False).ravel().tolist() == [50, 120]


def test_coverage_is_the_mean_of_what_a_pixel_covers() -> None:
    # INTER_AREA of OpenCV 5.0.0 gives these bytes.
    row = np.array([0, 100, 200, 40, 90, 10, 250], np.uint8).reshape(1, 7, 1)
    assert resize(row, 1, 3, "coverage", True).ravel().tolist() == [71, 100, 124]
    assert resize(row, 1, 2, "coverage", False).ravel().tolist() == [91, 106]


@every_size
def test_coverage_by_its_definition(before: tuple[int, int], after: tuple[int, int]) -> None:
    pixels = noise(*before)
    rows, columns = (covered(old, new) for old, new in zip(before, after, strict=True))
    exact = np.einsum("ij,jkc,lk->ilc", rows, pixels.astype(float), columns)
    assert np.abs(resize(pixels, *after, "coverage", True) - exact).max() < 0.51


def covered(length: int, new_length: int) -> Array:
    """Share of each old pixel in each new one, [new, old]: where their intervals overlap."""
    edges, new = np.arange(length), np.arange(new_length)[:, None] * length / new_length
    overlaps = np.minimum(edges + 1, new + length / new_length) - np.maximum(edges, new)
    shares: Array = np.maximum(overlaps, 0) * new_length / length
    return shares


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "area", "coverage"])
@pytest.mark.parametrize("antialias", [True, False])
def test_a_flat_picture_stays_flat(kernel: str, antialias: bool) -> None:
    flat = np.full((31, 17, 1), 255, np.uint8)
    assert (resize(flat, 7, 40, kernel, antialias) == 255).all()
