"""Scales of int4 weights, one for each group of inputs: those with the least squared error, found by search.

The scale that just holds the largest weight of a group is seldom the best of 16 steps: one that cuts that weight off
makes all other steps finer. Every backend takes scales and integers from here, in place of its vendor's rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

LOW, HIGH = -8, 7
DIVISORS = tuple(quarters / 4 for quarters in range(4, 39))
"""Divisors of the largest magnitude that give the scales to try. The whole ones up to 8 are among them, so that weights
which are whole multiples of a scale keep it: `passes/quantization/group_rounding` relies on that."""
REFINEMENTS = 2
"""Least-squares fits of the scale to the chosen integers; a third changes hardly a group."""
AT_ONCE = 2**20
"""Largest number of weights that are searched together, in memory."""
TINIEST, LARGEST = 2.0**-24, 65280.0
"""Least and greatest scale that float16 and bfloat16 hold both."""


@dataclass(frozen=True)
class GroupedWeight:
    """Weight of a linear layer in int4."""

    integers: Tensor
    """int8 [outputs, inputs], from -8 to 7."""
    scales: Tensor
    """float32 [outputs, groups], above 0; float16 and bfloat16 hold each, as LiteRT and XNNPACK store them so."""
    group: int
    """Inputs that share a scale; the last group of a row may have fewer."""

    @property
    def real(self) -> Tensor:
        """Weight that the kernels compute with, float32 [outputs, inputs]."""
        real: Tensor = self.integers * self.scale_of_each
        return real

    @property
    def scale_of_each(self) -> Tensor:
        """Scale of each weight, float32 [outputs, inputs]."""
        return self.scales.repeat_interleave(self.group, 1)[:, : self.integers.shape[1]]


def grouped_weight(weight: Tensor, group: int, importance: Tensor | None = None) -> GroupedWeight:
    """Round a weight, float32 [outputs, inputs], to int4 with the least squared error of each group of inputs.

    importance: of each input's errors, float32 [inputs], such as the mean of the squared input; all alike without it. A
    weight that int4 holds exactly stays as it is. The same weight gives the same integers.
    """
    weight = weight.detach().float()
    padding = -weight.shape[1] % group
    shares = torch.ones(weight.shape[1]) if importance is None else importance
    shares = F.pad(shares, (0, padding)).reshape(-1, group)
    integers, scales = [], []
    for rows in torch.split(weight, max(1, AT_ONCE // max(1, weight.shape[1]))):
        groups = F.pad(rows, (0, padding)).reshape(len(rows), -1, group)
        scale, whole = _searched(groups, shares)
        integers.append(whole.reshape(len(rows), -1)[:, : weight.shape[1]].to(torch.int8))
        scales.append(scale.squeeze(-1))
    return GroupedWeight(torch.cat(integers), torch.cat(scales), group)


def _searched(groups: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Best scales, [rows, groups, 1], and integers as floats, of `groups`, float32 [rows, groups, group]."""
    largest = groups.abs().amax(-1, keepdim=True)
    best = _tried(groups, shares, torch.where(largest > 0, largest, 1.0))
    for scale in _candidates(largest):
        best = _better(best, _tried(groups, shares, scale))
    for _ in range(REFINEMENTS):
        whole = best[2]
        fit = (whole * groups * shares).sum(-1, keepdim=True) / (whole * whole * shares).sum(-1, keepdim=True)
        best = _better(best, _tried(groups, shares, torch.where(fit > 0, fit, best[1])))  # 0 / 0 where all are 0
    return best[1], best[2]


def _candidates(largest: Tensor) -> Iterator[Tensor]:
    for divisor in DIVISORS:
        yield torch.where(largest > 0, largest / divisor, 1.0)


def _tried(groups: Tensor, shares: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Error of each group by a scale, that scale as it is stored, and the integers."""
    stored = scale.clamp(TINIEST, LARGEST).bfloat16().half().float()
    whole = (groups / stored).round().clamp(LOW, HIGH)
    return ((whole * stored - groups) ** 2 * shares).sum(-1, keepdim=True), stored, whole


def _better(left: tuple[Tensor, Tensor, Tensor], right: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Take the attempt with the lesser error in each group; the left one where they are equal."""
    wins = right[0] < left[0]
    error, scale, whole = (torch.where(wins, new, old) for new, old in zip(right, left, strict=True))
    return error, scale, whole
