"""Free lengths of a model, as its manifest states them: ranges by name, and the axes that follow them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

GRAPH = "bucket{}"
"""Name of the static graph of a bucket, by its number: a signature of a .tflite, a method of a .pte."""
LENGTHS = ".length"
"""Ending of the name of a column of lengths, int64 [N], beside samples that are padded to the longest: `t.length`."""


class ModelAxis(NamedTuple):
    """An axis whose length follows a free length n: (scale * n + offset) // divisor."""

    axis: int
    length: str
    scale: int = 1
    offset: int = 0
    divisor: int = 1

    def at(self, length: int) -> int:
        return (self.scale * length + self.offset) // self.divisor


class LengthRange(NamedTuple):
    """Range of a free length, and the lengths that the model has a static graph for."""

    name: str
    least: int
    most: int
    step: int
    buckets: tuple[int, ...]

    def admits(self, length: int) -> bool:
        return self.least <= length <= self.most and (length - self.least) % self.step == 0


def parse_axes(written: Iterable[Mapping[str, Any]]) -> tuple[ModelAxis, ...]:
    axes = tuple(
        ModelAxis(int(each["axis"]), str(each["length"]), *(int(each[key]) for key in ("scale", "offset", "divisor")))
        for each in written
    )
    if any(axis.axis < 1 or axis.divisor < 1 for axis in axes):
        raise ValueError(f"{axes} are no axes")
    return axes


def parse_lengths(written: Iterable[Mapping[str, Any]]) -> tuple[LengthRange, ...]:
    return tuple(
        LengthRange(
            str(each["name"]),
            int(each["least"]),
            int(each["most"]),
            int(each["step"]),
            tuple(map(int, each["buckets"])),
        )
        for each in written
    )
