"""Names, shapes and number formats at the model's edges."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Affine:
    """real = scale * (stored - zero_point)"""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class TensorSpec:
    """One input or output. `dtype` is numpy's name; `shape` includes the batch axis."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    affine: Affine | None = None
    """Set when a quantized model takes or returns integers that stand for reals."""

    def __str__(self) -> str:
        quantized = f" scale={self.affine.scale:.6g} zero_point={self.affine.zero_point}" if self.affine else ""
        return f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]{quantized}"


@dataclass(frozen=True)
class Signature:
    """What goes in and what comes out, in the order of the model's arguments and results."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
