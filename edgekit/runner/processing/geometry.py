"""Steps that make a picture of any size a model's input: colour, resize or letterbox, crop, pad, in this order.

A step is a dictionary of its name to its settings, as the manifest of a bundle has it under `processing`:

    {"colour": "bgr"}        or "grey"
    {"resize": {"height": 224, "width": 224, "kernel": "bilinear", "antialias": true}}
    {"shorter": {"length": 256, "kernel": "bilinear", "antialias": true}}
    {"letterbox": {"height": 640, "width": 640, "kernel": "bilinear", "antialias": false, "fill": 114, "corner": false}}
    {"crop": {"height": 224, "width": 224, "even": true}}        without `even`, half a pixel is rounded down
    {"pad": {"top": 0, "bottom": 0, "left": 1, "right": 1, "fill": 0}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import RunnerError

KERNELS = ("nearest", "bilinear", "bicubic", "area", "coverage")
Step = Mapping[str, Any]
LARGEST = 1 << 26
"""Largest number of pixels that a picture may have, before a step or after it: 67 million."""
LONGEST = 65_535
"""Longest side of a picture, which is that of JPEG."""
SETTINGS = {
    "resize": {"height", "width", "kernel", "antialias"},
    "shorter": {"length", "kernel", "antialias"},
    "letterbox": {"height", "width", "kernel", "antialias", "fill", "corner"},
    "crop": {"height", "width"},
    "pad": {"top", "bottom", "left", "right", "fill"},
}
OPTIONAL = {"crop": {"even"}}
"""Settings that bundles of an older edgekit do not have."""
FLAGS = ("antialias", "corner", "even")


class Axis(NamedTuple):
    """Affine map of one coordinate: model = scale * picture + shift. Pixels are squares; 0 is the edge of the first."""

    scale: float
    shift: float

    def forward(self, picture: Any) -> Any:
        """Map coordinates in the picture, a number or an array, to the model's input."""
        return self.scale * picture + self.shift

    def inverse(self, model: Any) -> Any:
        """Map coordinates in the model's input, such as a predicted box's, back to the picture."""
        return (model - self.shift) / self.scale


class PicturePlacement(NamedTuple):
    """Place of a picture in the model's input: the maps of x and y, and the input's size."""

    x: Axis
    y: Axis
    height: int
    width: int


def placement(steps: Sequence[Step], height: int, width: int) -> PicturePlacement:
    """Compute where the steps put a picture of [height, width]. Raises RunnerError (data) if it does not fit."""
    place = PicturePlacement(Axis(1.0, 0.0), Axis(1.0, 0.0), height, width)
    for step in steps:
        ((name, settings),) = step.items()
        if name == "colour":
            continue
        scaled, shift, size = step_geometry(name, settings, place.height, place.width)
        place = PicturePlacement(
            Axis(place.x.scale * scaled[1] / place.width, place.x.shift * scaled[1] / place.width + shift[1]),
            Axis(place.y.scale * scaled[0] / place.height, place.y.shift * scaled[0] / place.height + shift[0]),
            *size,
        )
    return place


def words(steps: Sequence[Step]) -> str:
    """Describe the steps in their order, for people: `shorter side 256 by bilinear with antialias, crop 224 x 224`."""
    return ", ".join(_word(*next(iter(step.items()))) for step in steps)


def check_steps(steps: Any) -> list[Step]:
    """Check steps that a manifest states. Raises RunnerError (data) for one that this runner does not know."""
    for step in steps if isinstance(steps, list) else [steps]:
        pairs = list(step.items()) if isinstance(step, dict) else []
        name, settings = pairs[0] if len(pairs) == 1 else ("", None)
        known = settings in ("bgr", "grey") if name == "colour" else _known(name, settings)
        if not known:
            raise RunnerError("data", f"the runner knows no processing step {str(step)[:80]}: use a newer edgekit")
    return list(steps)


def check_size(height: int, width: int) -> None:
    """Raise RunnerError (data) if a picture of that size is more than `LARGEST` pixels, or `LONGEST` on a side."""
    if max(height, width) > LONGEST:
        raise RunnerError("data", f"a picture of {width} x {height} has more than {LONGEST:,} pixels on a side")
    if height * width > LARGEST:
        raise RunnerError("data", f"a picture of {width} x {height} is larger than {LARGEST >> 20} million pixels")


def _word(name: str, settings: Any) -> str:
    if name == "colour":
        return f"colours {settings.upper() if settings == 'bgr' else settings}"
    if name == "pad":
        return "pad {top} above, {bottom} below, {left} left, {right} right with {fill}".format(**settings)
    size = "{} x {} (height x width)".format(settings.get("height"), settings.get("width"))
    if name == "crop":
        return f"crop {size} from the middle, half a pixel {'to the even one' if settings.get('even') else 'down'}"
    kernel = f"by {settings['kernel']} {'with' if settings['antialias'] else 'without'} antialias"
    if name == "shorter":
        return f"shorter side {settings['length']} {kernel}"
    if name == "resize":
        return f"resize {size} {kernel}"
    place = "in the corner" if settings["corner"] else "in the middle"
    return f"letterbox {size} {kernel}, {place}, filled with {settings['fill']}"


def _known(name: str, settings: Any) -> bool:
    if not isinstance(settings, dict) or set(settings) - OPTIONAL.get(name, set()) != SETTINGS.get(name):
        return False
    if not all(isinstance(settings.get(key, False), bool) for key in FLAGS):
        return False
    numbers = {key: value for key, value in settings.items() if key not in ("kernel", *FLAGS)}
    whole = all(type(value) is int and 0 <= value <= LARGEST for value in numbers.values())
    sized = all(numbers.get(key, 1) > 0 for key in ("height", "width", "length"))
    return whole and sized and numbers.get("fill", 0) <= 255 and settings.get("kernel", "area") in KERNELS


def step_geometry(
    name: str, settings: Mapping[str, Any], height: int, width: int
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Compute, in [y, x]: the size after resizing, the shift of its corner, and the size of the result."""
    if name == "resize":
        size = settings["height"], settings["width"]
        return size, (0, 0), size
    if name == "shorter":
        length, shorter = settings["length"], min(height, width)
        # As torchvision: the longer side is cut to a whole number.
        size = (length, length * width // shorter) if height <= width else (length * height // shorter, length)
        return size, (0, 0), size
    if name == "pad":
        total = height + settings["top"] + settings["bottom"], width + settings["left"] + settings["right"]
        return (height, width), (settings["top"], settings["left"]), total
    outer = settings["height"], settings["width"]
    if name == "letterbox":
        factor = min(outer[0] / height, outer[1] / width)
        inner = max(1, round(height * factor)), max(1, round(width * factor))
        corner = (0, 0) if settings["corner"] else ((outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2)
        return inner, corner, outer
    if height < outer[0] or width < outer[1]:
        raise RunnerError(
            "data", f"a picture of {width} x {height} cannot be cropped to {outer[1]} x {outer[0]}: resize it first"
        )
    top, left = (_half(all_ - kept, settings.get("even", False)) for all_, kept in zip((height, width), outer))
    return (height, width), (-top, -left), outer


def _half(pixels: int, even: bool) -> int:
    """Half of them, rounded to the even number, as Python and so torchvision round, or down."""
    return pixels // 2 + (even and pixels % 4 == 3)
