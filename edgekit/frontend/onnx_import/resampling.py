"""Resize of ONNX, by torch's own interpolation where that computes the same, else by indices."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.frontend.onnx_import.operator import FIXED, GraphValue, OnnxOperator, Step, makes
from edgekit.frontend.onnx_import.symbolic_sizes import size_values

SMOOTH = {("linear", 3): "linear", ("linear", 4): "bilinear", ("linear", 5): "trilinear", ("cubic", 4): "bicubic"}
HALF = ("half_pixel", "pytorch_half_pixel")


@makes("Resize", "Upsample")
def _resize(op: OnnxOperator) -> Step:
    if op.free_axes() or (op.has(3) and not op.is_constant(3)):
        return _free_resize(op)
    sizes, scales = _target(op)
    mode = _text(op.attribute("mode", "nearest"))
    place = _place(op)
    before = list(op.example(0).shape)
    if place == "tf_crop_and_resize":
        raise op.refused("crops as TensorFlow does")
    if mode == "nearest":
        return _nearest(op, before, sizes, scales, place)
    mode = {"bilinear": "linear", "trilinear": "linear"}.get(mode, mode)
    kind = SMOOTH.get((mode, len(before)))
    spatial = before[:2] == sizes[:2]
    aligned = place == "align_corners"
    # With one element of output, PyTorch's own half pixel is another.
    known = aligned or place == "half_pixel" or (place == "pytorch_half_pixel" and min(sizes[2:]) > 1)
    exact = all(math.isclose(size * scale, new) for size, scale, new in zip(before, scales, sizes, strict=True))
    plain = op.attribute("cubic_coeff_a", -0.75) == -0.75 and not op.attribute("exclude_outside", 0)
    if kind is None or not spatial or not known or not plain or (op.attribute("antialias", 0) and mode != "linear"):
        raise op.refused(f"resizes by '{mode}' with '{place}', which torch lacks")
    if op.attribute("antialias", 0) and not exact:
        raise op.refused("resizes with antialiasing by a broken scale")
    options: dict[str, Any] = {"mode": kind, "align_corners": aligned, "antialias": bool(op.attribute("antialias", 0))}
    if exact or aligned:
        return op.call(lambda x: F.interpolate(x, size=sizes[2:], **options), 0)
    factors = [float(scale) for scale in scales[2:]]
    return op.call(lambda x: F.interpolate(x, scale_factor=factors, recompute_scale_factor=False, **options), 0)


def _free_resize(op: OnnxOperator) -> Step:
    """Step of a resize of an image whose height and width are free, to sizes or by whole scales."""
    mode, place = _text(op.attribute("mode", "nearest")), _place(op)
    mode = {"bilinear": "linear", "trilinear": "linear"}.get(mode, mode)
    kind = "nearest" if mode == "nearest" else SMOOTH.get((mode, op.rank()))
    plain = op.attribute("cubic_coeff_a", -0.75) == -0.75 and not op.attribute("exclude_outside", 0)
    known = mode == "nearest" or place in ("align_corners", *HALF)
    if kind is None or not plain or not known or op.attribute("antialias", 0) or op.attribute("axes"):
        raise op.refused(f"resizes a free length by '{mode}' with '{place}'", hint=FIXED)
    operands, sizes = _free_sizes(op)
    for x, *stated in zip(*((value.example, value.at_least) for value in (op.value(0), *operands)), strict=True):
        target = sizes(x, *stated)
        if mode == "nearest" and not _is_plain(op, list(x.shape), [*x.shape[:2], *target], place):
            raise op.refused(f"resizes a free length by '{mode}' with '{place}', which torch lacks", hint=FIXED)
    options: dict[str, Any] = {} if mode == "nearest" else {"align_corners": place == "align_corners"}
    return Step(
        lambda x, *stated: F.interpolate(x, size=sizes(x, *stated), mode=kind, **options), (op.value(0), *operands)
    )


def _free_sizes(op: OnnxOperator) -> tuple[tuple[GraphValue, ...], Callable[..., list[Any]]]:
    """Operands besides the image, and a function from the image and them to the sizes of the spatial axes."""
    if op.opset >= 11 and op.has(3):
        operands, numbers = size_values(op, 3)
        return operands, lambda x, *stated: numbers(*stated)[2:]
    scales = [float(scale) for scale in op.numbers(1 if op.opset < 11 else 2, "scales") or ()]
    ratios = [Fraction(scale).limit_denominator(64) for scale in scales]
    if any(abs(ratio - scale) > 1e-6 for ratio, scale in zip(ratios, scales, strict=True)) or ratios[:2] != [1, 1]:
        raise op.refused(f"resizes a free length by {scales}", hint=FIXED)
    return (), lambda x: [
        size * ratio.numerator // ratio.denominator for size, ratio in zip(x.shape[2:], ratios[2:], strict=True)
    ]


def _is_plain(op: OnnxOperator, before: list[int], sizes: list[int], place: str) -> bool:
    """True if the operator picks the elements that torch's `nearest` picks."""
    rounding = _text(op.attribute("nearest_mode", "floor" if op.opset < 11 else "round_prefer_floor"))
    pairs = list(zip(before, sizes, strict=True))
    return all(
        _places(old, new, new / old, place, rounding) == [index * old // new for index in range(new)]
        for old, new in pairs
    )


def _place(op: OnnxOperator) -> str:
    return _text(op.attribute("coordinate_transformation_mode", "asymmetric" if op.opset < 11 else "half_pixel"))


def _target(op: OnnxOperator) -> tuple[list[int], list[float]]:
    """Sizes of all axes after the operator, and their scales."""
    before = list(op.example(0).shape)
    # Before opset 11 the scales are input 1, or an attribute; then come the region of interest, scales and sizes.
    scales = op.numbers(1 if op.opset < 11 else 2, "scales")
    sizes = op.numbers(3) if op.opset >= 11 else None
    axes = [int(axis) % len(before) for axis in op.attribute("axes", range(len(before)))]
    factors, target = [1.0] * len(before), list(before)
    for i, axis in enumerate(axes):
        if sizes:
            target[axis] = int(sizes[i])
            factors[axis] = target[axis] / before[axis]
        elif scales:
            factors[axis] = float(scales[i])
            target[axis] = math.floor(before[axis] * factors[axis] + 1e-6)
    if _text(op.attribute("keep_aspect_ratio_policy", "stretch")) != "stretch":
        raise op.refused("keeps the aspect ratio by itself")
    return target, factors


def _nearest(op: OnnxOperator, before: list[int], sizes: list[int], scales: list[float], place: str) -> Step:
    rounding = _text(op.attribute("nearest_mode", "floor" if op.opset < 11 else "round_prefer_floor"))
    places = [_places(old, new, scale, place, rounding) for old, new, scale in zip(before, sizes, scales, strict=True)]
    plain = [[index * old // new for index in range(new)] for old, new in zip(before, sizes, strict=True)]
    if places == plain and before[:2] == sizes[:2] and len(before) in (3, 4, 5):
        return op.call(lambda x: F.interpolate(x, size=sizes[2:], mode="nearest"), 0)
    indices = [(axis, torch.tensor(each)) for axis, each in enumerate(places) if each != list(range(before[axis]))]

    def select(x: Tensor) -> Tensor:
        for axis, index in indices:
            x = x.index_select(axis, index)
        return x

    return op.call(select, 0)


def _places(old: int, new: int, scale: float, place: str, rounding: str) -> list[int]:
    """Index of the element that each element of an axis is a copy of, by the formulas of the operator `Resize`."""
    indices = []
    for index in range(new):
        if place in HALF:
            x = (index + 0.5) / scale - 0.5 if new > 1 or place == "half_pixel" else 0.0
        elif place == "align_corners":
            x = index * (old - 1) / (new - 1) if new > 1 else 0.0
        else:
            x = index / scale
        nearest = {
            "floor": math.floor(x + 1e-9),
            "ceil": math.ceil(x - 1e-9),
            "round_prefer_floor": math.ceil(x - 0.5 - 1e-9),
            "round_prefer_ceil": math.floor(x + 0.5 + 1e-9),
        }[rounding]
        indices.append(min(max(nearest, 0), old - 1))
    return indices


@makes("GridSample")
def _grid_sample(op: OnnxOperator) -> Step:
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(mode := _text(op.attribute("mode", "linear")), mode)
    padding, aligned = _text(op.attribute("padding_mode", "zeros")), bool(op.attribute("align_corners", 0))
    return op.call(lambda x, grid: F.grid_sample(x, grid, mode, padding, aligned), 0, 1)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
