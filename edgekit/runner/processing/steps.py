"""Processing of a picture: the steps of `geometry`, applied to pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import RunnerError
from .geometry import Step, check_size, step_geometry
from .resize import Array, resize


def process(steps: Sequence[Step], pixels: Array) -> Array:
    """Apply the steps to uint8 [H, W, 1 or 3] of any size. Raises RunnerError (data) for another array."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or not pixels.size:
        raise RunnerError("data", f"a picture is uint8 [height, width, 1 or 3], not {pixels.dtype}{list(pixels.shape)}")
    for step in steps:
        ((name, settings),) = step.items()
        check_size(*pixels.shape[:2])
        pixels = _colour(pixels, settings) if name == "colour" else _moved(pixels, name, settings)
    return np.ascontiguousarray(pixels)


def _moved(pixels: Array, name: str, settings: Mapping[str, Any]) -> Array:
    inner, (down, right), outer = step_geometry(name, settings, *pixels.shape[:2])
    check_size(*inner)
    check_size(*outer)
    if inner != pixels.shape[:2]:
        pixels = resize(pixels, *inner, settings["kernel"], settings["antialias"])
    if name == "crop":
        return pixels[-down : outer[0] - down, -right : outer[1] - right]
    if (down, right) == (0, 0) and inner == outer:
        return pixels
    canvas = np.full((*outer, pixels.shape[2]), settings["fill"], np.uint8)
    canvas[down : down + inner[0], right : right + inner[1]] = pixels
    return canvas


def _colour(pixels: Array, order: str) -> Array:
    """Reverse red, green and blue; or luma of ITU-R BT.601 in 16 fractional bits, as in Pillow and libjpeg."""
    if order == "bgr":
        return pixels[..., ::-1]
    if pixels.shape[2] == 1:
        return pixels
    red, green, blue = (pixels[..., k : k + 1].astype(np.int32) for k in range(3))
    grey: Array = ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
    return grey
