"""Signature of a model: names, shapes and number formats of its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass


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
class Signature:
    """Inputs and outputs, in the order of the model's arguments and results."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
