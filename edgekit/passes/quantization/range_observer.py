"""Observer of activation ranges by any of our methods, which can be changed after calibration."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torchao.quantization.pt2e import MinMaxObserver

from edgekit.passes.quantization import clipping

BINS = 2**15
"""Bins of the histogram of each observer."""


class RangeObserver(MinMaxObserver):  # type: ignore[misc]  # torchao has no types
    """Observer that keeps minimum, maximum and a histogram of one tensor; `method` computes the range from them.

    The histogram is even from minus to plus a power of two. If a value lies outside, pairs of bins become one, so that
    no count is moved or split. method: minmax, percentile, mse or histogram, as recipes name them. percentile: share in
    per cent that the range of that method holds.
    """

    counts: Tensor
    zeros: Tensor
    reach: Tensor

    def __init__(self, *args: Any, method: str = "minmax", percentile: float = 99.99, **options: Any) -> None:
        super().__init__(*args, **options)
        self.method, self.percentile = method, percentile
        self.register_buffer("counts", torch.zeros(BINS, dtype=torch.float64))
        self.register_buffer("zeros", torch.zeros((), dtype=torch.float64))
        self.register_buffer("reach", torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Record `x`, float of any shape, and return it.

        Values that are not finite show in minimum and maximum only.
        """
        super().forward(x)
        farthest = max(-float(self.min_val), float(self.max_val)) if x.numel() else 0.0
        if not math.isfinite(farthest):
            return x
        values = x.detach().float()
        self.zeros += (values == 0).sum()
        if farthest == 0:
            return x
        self._widen(2.0 ** math.ceil(math.log2(farthest)))
        reach = float(self.reach)
        self.counts += torch.histc(values, BINS, -reach, reach)
        return x

    def _widen(self, bound: float) -> None:
        """Make the histogram reach from -bound to bound."""
        reach = float(self.reach)
        if reach == 0 or not self.counts.any():
            self.reach.fill_(max(reach, bound))
            return
        while reach < bound:
            pairs = self.counts.reshape(-1, 2).sum(1)
            self.counts.zero_()
            self.counts[BINS // 4 : BINS // 4 * 3] = pairs
            reach *= 2
        self.reach.fill_(reach)

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale, float32 [1], and zero point, int [1], of the range that `method` finds."""
        low, high = self.range()
        scale_and_zero: tuple[Tensor, Tensor] = self._calculate_qparams(low, high)
        return scale_and_zero

    def range(self) -> tuple[Tensor, Tensor]:
        """Ends of the range, float32 scalars; minimum and maximum for `minmax`, and before any value was seen."""
        extremes = (self.min_val, self.max_val)
        if self.method == "minmax" or not self.counts.any():
            return extremes
        histogram = clipping.ValueHistogram(
            self.counts.numpy(),
            float(self.reach),
            float(self.zeros),
            min(float(self.min_val), 0.0),
            max(float(self.max_val), 0.0),
        )
        low, high = self._clipped(histogram)
        return torch.tensor(low), torch.tensor(high)

    def _clipped(self, histogram: clipping.ValueHistogram) -> tuple[float, float]:
        steps = self.quant_max - self.quant_min
        if self.method == "percentile":
            return clipping.percentile(histogram, self.percentile)
        if self.method == "mse":
            return clipping.least_square(histogram, clipping.Levels(steps, self.qscheme is torch.per_tensor_symmetric))
        if self.method == "histogram":
            return clipping.norm(histogram, steps)
        raise ValueError(f"no rule clips by '{self.method}'")
