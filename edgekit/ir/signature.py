"""Signature of a model: names, shapes and number formats of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import model_serializer


@dataclass(frozen=True)
class Affine:
    """Affine quantization: real = scale * (stored - zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class TensorSpec:
    """One input or output. `dtype` is numpy's name; `shape` includes the batch axis."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    affine: Affine | None = None
    """Quantization of an edge whose integers stand for real values; None for all others."""

    def __str__(self) -> str:
        quantized = f" scale={self.affine.scale:.6g} zero_point={self.affine.zero_point}" if self.affine else ""
        return f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]{quantized}"


@dataclass(frozen=True)
class StatePair:
    """A tensor of state, by name: an output that is an input of the next step."""

    input: str
    output: str
    initial: str | None = None
    """File of the bundle with the state before the first step; None for zeros."""


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs, in the order of the model's arguments and results."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    state: tuple[StatePair, ...] = ()
    """State that is passed on from step to step; empty for a model that takes one sample at a time."""

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

    @model_serializer(mode="wrap")
    def _without_unused(self, written: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Leave `state` out if there is none: files of models without state keep their bytes."""
        values = written(self)
        if not self.state:
            del values["state"]
        return values
