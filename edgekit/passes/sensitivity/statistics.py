"""Statistics of one layer's values, summed over batches: quantization noise, clipping, ranges by channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

SPREAD = 4096
"""Number of values of a batch, drawn at random (fixed seed), that are kept for percentiles."""
FLAT = 1e-3
"""Share of its layer's range below which the range of a channel counts as constant."""
LAST = {"linear", "layer norm", "embedding", "matmul", "attention"}
"""Kinds of layers whose channels are the last axis."""


@dataclass
class Noise:
    """Energy of signal and of quantization noise, summed over batches."""

    signal: float = 0.0
    noise: float = 0.0
    seen: bool = False

    def add(self, exact: Tensor, rounded: Tensor) -> None:
        # In float32 within a batch, where torch sums in a tree: as good as the decibels printed.
        self.signal += float(exact.square().sum())
        self.noise += float((exact - rounded).square_().sum())
        self.seen = True

    @property
    def sqnr_db(self) -> float | None:
        """Signal to quantization noise in dB, as in `ir.sqnr.sqnr_db`; None if nothing was added."""
        if not self.seen:
            return None
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal else -math.inf


@dataclass
class Outside:
    """Count of values outside a range: clipping, or saturation."""

    count: int = 0
    total: int = 0

    def add(self, values: Tensor, low: float, high: float) -> None:
        slack = (high - low) * 1e-6  # half a step, give or take what floats lose
        smallest, largest = values.aminmax()
        if smallest < low - slack or largest > high + slack:
            self.count += int(((values < low - slack) | (values > high + slack)).sum())
        self.total += values.numel()

    @property
    def share(self) -> float | None:
        return self.count / self.total if self.total else None


@dataclass
class Extent:
    """Range of a layer's values, channel by channel."""

    axis: int | None
    """Axis of the channels; None for values that are one channel."""
    low: Tensor | None = None
    high: Tensor | None = None
    drawn: list[Tensor] = field(default_factory=list)
    random: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))

    def add(self, values: Tensor) -> None:
        others = [axis for axis in range(values.dim()) if axis != self.axis]
        low, high = (values.amin(others), values.amax(others)) if others else (values, values)
        self.low = low if self.low is None else torch.minimum(self.low, low)
        self.high = high if self.high is None else torch.maximum(self.high, high)
        flat = values.reshape(-1)
        # At random: what repeats in every picture would fall into step with every n-th value.
        drawn = torch.randint(flat.numel(), (SPREAD,), generator=self.random)
        self.drawn.append(flat[drawn].abs() if flat.numel() > SPREAD else flat.abs())

    @property
    def bounds(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (float(self.low.min()), float(self.high.max()))

    @property
    def p999(self) -> float | None:
        if not self.drawn:
            return None
        values = torch.cat(self.drawn).sort().values
        return float(values[min(len(values) - 1, int(0.999 * len(values)))])

    @property
    def constant(self) -> float | None:
        bounds = self.bounds
        if self.low is None or self.high is None or bounds is None:
            return None
        return float(((self.high - self.low) <= FLAT * (bounds[1] - bounds[0])).double().mean())

    @property
    def ratio(self) -> float | None:
        return None if self.low is None or self.high is None else range_ratio(torch.maximum(-self.low, self.high))


def range_ratio(largest: Tensor) -> float | None:
    """Largest over median of the channels' largest magnitudes; None for one channel, or if all are zero."""
    above = largest[largest > 0]  # a dead channel says nothing of the others' scale
    return float(above.max() / above.median()) if len(above) > 1 else None


def per_channel(values: Tensor, axis: int) -> Tensor:
    """Values as [channels, rest], with the channels of `axis`."""
    return values.movedim(axis, 0).reshape(values.shape[axis], -1) if values.dim() else values.reshape(1, 1)


def channel_axis(kind: str, shape: Sequence[int]) -> int | None:
    """Axis of the channels: 1 in images, the last in the results of linear layers, None where each sample is a number.

    shape: of a batch, [N, …].
    """
    if len(shape) < 2:
        return None
    if len(shape) < 3 or kind in LAST:
        return len(shape) - 1
    return 1
