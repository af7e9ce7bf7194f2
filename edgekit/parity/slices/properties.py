"""Properties of samples that automatic slices are made of: brightness, contrast, size, loudness, length, variance."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from edgekit.datasets.free_lengths import free_axes
from edgekit.ir.measurement import Array
from edgekit.parity.gate_texts import decimal, percent
from edgekit.parity.slices.slice import Property
from edgekit.samples import Samples
from edgekit.specs.inputs import Input
from edgekit.specs.project import LENGTHS

SIDE = 64
"""Rows, and columns, that are read of a picture at most: every second or third pixel tells its brightness."""
POINTS = 65_536
"""Values that are read of a recording or a series at most."""
CHUNK = 4_000_000
"""Values that are read at once, so that a set larger than memory is no difficulty."""
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue (ITU-R BT.601)."""
FLOOR_DB = -120.0
"""Loudness of silence."""


def properties(samples: Samples, inputs: Mapping[str, Input]) -> Iterator[Property]:
    """Measure the properties of N samples, input by input, by what each input is. Other inputs have none."""
    several = len(inputs) > 1
    for name, spec in inputs.items():
        for each in _of_input(samples, name, spec):
            yield Property(f"{each.name} of '{name}'", each.values, each.low, each.high, each.show) if several else each
    metadata = samples.metadata
    if metadata and metadata.sizes is not None:
        yield Property("size", metadata.sizes, "small pictures", "large pictures", _pixels)
    if samples.length is not None:
        yield Property("length", samples.length.astype(np.float64), "short sequences", "long sequences", _whole)


def _of_input(samples: Samples, name: str, spec: Input) -> Iterable[Property]:
    array, axes = samples.inputs[name], free_axes(spec)
    sized = {axis: samples.inputs[size.length.name + LENGTHS] for axis, size in axes.items()}
    if channel_axis(spec) is not None and samples.length is None:
        yield from _of_pictures(array, spec)
        if sized:
            areas = np.prod([column.astype(np.float64) for column in sized.values()], axis=0)
            yield Property("size", areas, "small pictures", "large pictures", _pixels)
        return
    length = next(iter(sized.values()), None)
    if length is not None:
        words = ("short recordings", "long recordings") if spec.sounds else ("short samples", "long samples")
        yield Property("length", length.astype(np.float64), *words, _whole)
    if spec.sounds:
        full = np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 1.0
        power = np.concatenate([(rows.astype(np.float64) ** 2).mean(axis=1) for rows in _rows(array)])
        if length is not None and not spec.pad:  # padding is silence, and no part of the recording
            power *= array[0].size / np.maximum(length, 1)
        yield Property("loudness", _decibels(power, full), "quiet recordings", "loud recordings", _in_db)
    elif array.dtype.kind in "iu" and (spec.tokenizer or spec.vocabulary) and length is None and array.ndim == 2:
        # Texts of one shape end in padding.
        tokens = (array != spec.pad).sum(axis=1).astype(np.float64)
        yield Property("length", tokens, "short texts", "long texts", _whole)
    elif array.dtype.kind == "f":
        variance = np.concatenate([rows.astype(np.float64).var(axis=1) for rows in _rows(array)])
        yield Property("variance", variance, "steady series", "restless series", lambda value: f"{value:.3g}")


def _of_pictures(array: Array, spec: Input) -> Iterator[Property]:
    """Brightness and contrast: mean and standard deviation of the luma, as shares of the range of values."""
    axis = channel_axis(spec)
    assert axis is not None
    brightness, contrast = [], []
    for pictures in _chunks(array):
        planes = np.moveaxis(pictures, 1 + axis, -1)
        rows, columns = (max(1, math.ceil(length / SIDE)) for length in planes.shape[1:3])
        seen = planes[:, ::rows, ::columns].astype(np.float64)
        luma = seen @ LUMA if seen.shape[-1] == 3 else seen.mean(axis=-1)
        brightness.append(luma.mean(axis=(1, 2)))
        contrast.append(luma.std(axis=(1, 2)))
    means, deviations = np.concatenate(brightness), np.concatenate(contrast)
    if array.dtype == np.uint8:
        low, span, of = 0.0, 255.0, ""
    else:  # reals were scaled by who made them: the range is that of the means
        low, span, of = float(means.min()), float(np.ptp(means)) or 1.0, " of its range"
    show: Callable[[float], str] = lambda share: f"{percent(round(share, 3))}{of}"  # noqa: E731
    yield Property("brightness", (means - low) / span, "dark pictures", "bright pictures", show)
    yield Property("contrast", deviations / span, "flat pictures", "pictures rich in contrast", show)


def channel_axis(spec: Input) -> int | None:
    """Axis of the channels of a picture; None for an input that is none."""
    shape = spec.raw_shape
    if len(shape) != 3 or spec.tokenizer or spec.vocabulary or spec.sounds:
        return None
    if spec.preprocess:
        return 2
    return next((axis for axis in (0, 2) if shape[axis] in (1, 3)), None)


def _chunks(array: Array) -> Iterator[Array]:
    rows = max(1, CHUNK // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def _rows(array: Array) -> Iterator[Array]:
    """Chunks of an array [N, …] as [n, values], of long rows every k-th value."""
    step = max(1, math.ceil(array[:1].size / POINTS))
    for chunk in _chunks(array):
        yield chunk.reshape(len(chunk), -1)[:, ::step]


def _decibels(power: Array, full: float) -> Array:
    return np.asarray(10 * np.log10(np.maximum(power / (full * full), 10 ** (FLOOR_DB / 10))))


def _in_db(value: float) -> str:
    return f"{decimal(value, 1)} dB"


def _pixels(value: float) -> str:
    return f"{value:,.0f} pixels"


def _whole(value: float) -> str:
    return f"{value:,.0f}"
