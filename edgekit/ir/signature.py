"""Signature of a model: names, shapes and number formats of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer


@dataclass(frozen=True)
class Affine:
    """Affine quantization: real = scale * (stored - zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class FreeAxis:
    """An axis of an input or output whose length follows a free length n: (scale * n + offset) // divisor."""

    axis: int
    """Number of the axis, where 0 is the batch axis."""
    length: str
    """Name of the free length."""
    scale: int = 1
    offset: int = 0
    divisor: int = 1

    def __post_init__(self) -> None:
        if self.axis < 1 or self.divisor < 1:
            raise ValueError(f"axis {self.axis} cannot be '{self}'")

    def at(self, length: int) -> int:
        """Length of the axis where the free length is `length`."""
        return (self.scale * length + self.offset) // self.divisor

    def __str__(self) -> str:
        product = self.length if self.scale == 1 else f"{self.scale}*{self.length}"
        total = f"{product}{self.offset:+d}" if self.offset else product
        if self.divisor == 1:
            return total
        return f"{total}//{self.divisor}" if total == self.length else f"({total})//{self.divisor}"


@dataclass(frozen=True)
class FreeLength:
    """Length that differs from sample to sample: from `least` to `most`, by steps of `step`."""

    name: str
    least: int
    most: int
    step: int = 1
    buckets: tuple[int, ...] = ()
    """Lengths that the artifact has a static graph for, ascending; empty where it takes every length by itself."""

    def __contains__(self, length: int) -> bool:
        return self.least <= length <= self.most and (length - self.least) % self.step == 0

    @property
    def all(self) -> range:
        """All admissible lengths, ascending."""
        return range(self.least, self.most + 1, self.step)

    def __str__(self) -> str:
        step = f":{self.step}" if self.step > 1 else ""
        return f"{self.name}:{self.least}..{self.most}{step}"


@dataclass(frozen=True)
class TensorSpec:
    """One input or output. `dtype` is numpy's name; `shape` includes the batch axis, and of a free axis the most."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    affine: Affine | None = None
    """Quantization of an edge whose integers stand for real values; None for all others."""
    free: tuple[FreeAxis, ...] = ()
    """Axes whose length differs from sample to sample."""
    pad: float = 0.0
    """Value of an input beyond the length of its sample, where it is padded to a bucket."""

    def __str__(self) -> str:
        quantized = f" scale={self.affine.scale:.6g} zero_point={self.affine.zero_point}" if self.affine else ""
        named = {axis.axis: f"{axis}<={self.shape[axis.axis]}" for axis in self.free}
        sizes = ", ".join(named.get(axis, str(size)) for axis, size in enumerate(self.shape))
        return f"{self.name}: {self.dtype}[{sizes}]{quantized}"

    def at(self, lengths: Mapping[str, int]) -> tuple[int, ...]:
        """Shape where the free lengths are `lengths`, by name."""
        sizes = list(self.shape)
        for axis in self.free:
            sizes[axis.axis] = axis.at(lengths[axis.length])
        return tuple(sizes)

    @model_serializer(mode="wrap")
    def _used_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_unused(handler(self), ("free", "pad"))


@dataclass(frozen=True)
class StatePair:
    """A tensor of state, by name: an output that is an input of the next step."""

    input: str
    output: str
    initial: str | None = None
    """File of the bundle with the state before the first step; None for zeros."""
    append: int | None = None
    """Axis of a cache that a step's output is written into, at the number of steps before; None replaces the whole."""

    @model_serializer(mode="wrap")
    def _used_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if name != "append" or value is not None}


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs, in the order of the model's arguments and results."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    state: tuple[StatePair, ...] = ()
    """State that is passed on from step to step; empty for a model that takes one sample at a time."""
    lengths: tuple[FreeLength, ...] = ()
    """Free lengths of the inputs, by name; those of the outputs follow from them."""
    prefill: tuple[int, ...] = ()
    """Numbers of tokens that a decoder has an entry point for, beside the one that reads a single token."""

    @property
    def sampled(self) -> tuple[TensorSpec, ...]:
        """Inputs that samples give: all but state."""
        names = {pair.input for pair in self.state}
        return tuple(spec for spec in self.inputs if spec.name not in names)

    @property
    def reported(self) -> tuple[TensorSpec, ...]:
        """Outputs that are answers: all but state."""
        names = {pair.output for pair in self.state}
        return tuple(spec for spec in self.outputs if spec.name not in names)

    @property
    def most(self) -> dict[str, int]:
        """Greatest length of each name."""
        return {length.name: length.most for length in self.lengths}

    def without_buckets(self) -> Signature:
        """Signature of an artifact that takes every length by itself."""
        return replace(self, lengths=tuple(replace(length, buckets=()) for length in self.lengths))

    @model_serializer(mode="wrap")
    def _used_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_unused(handler(self), ("state", "lengths", "prefill"))


def _without_unused(values: dict[str, Any], later: Collection[str]) -> dict[str, Any]:
    """Leave out keys of `later` that are empty: files of models without free lengths and state keep their bytes."""
    return {name: value for name, value in values.items() if value or name not in later}
