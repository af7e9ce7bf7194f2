"""Solvers for weight rounding: GPTQ, AdaRound, and the local search that ends both.

All minimize `dW H dW'` of each output, H being the mean of x x' over a layer's inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

DAMPING = 0.01
"""Share of the mean of H's diagonal that is added to the diagonal (Frantar et al. 2022, section 3.3)."""
STEPS = 500
"""Steps of AdaRound's descent; the paper takes 10,000 on samples, here each step sees all of them through H."""
RATE = 0.05
"""Learning rate of Adam in AdaRound's descent."""
HARDNESS = 0.06
"""Weight of AdaRound's regularizer, which makes soft choices hard; an output's error by nearest rounding is 1."""


@dataclass(frozen=True)
class Grid:
    """Values that a weight may take: `scale * q` for integers q from `low` to `high` (zero points counted in)."""

    scale: Tensor
    """float32, [groups, outputs a group, 1], or [groups, outputs a group, K] where inputs differ in their scales."""
    low: Tensor
    high: Tensor

    def whole(self, weight: Tensor) -> Tensor:
        """Nearest q, as floats."""
        return torch.clamp(torch.round(weight / self.scale), self.low, self.high)

    def column(self, index: int) -> Grid:
        """Values that the weights of one input may take."""
        return self if self.scale.shape[2] == 1 else Grid(self.scale[:, :, index : index + 1], self.low, self.high)

    def near(self, weight: Tensor) -> Tensor:
        """Nearest value of the grid."""
        return self.whole(weight) * self.scale


def squared(change: Tensor, moment: Tensor) -> Tensor:
    """Squared error of each output, [groups, outputs], by a change of weights, float32 [groups, outputs, K].

    moment: H, float32 [groups, K, K].
    """
    return ((change @ moment) * change).sum(-1)


def gptq(weight: Tensor, moment: Tensor, grid: Grid) -> Tensor:
    """Round column by column; later columns compensate the error (GPTQ, Frantar et al. 2022, algorithm 1).

    weight: float32 [groups, outputs, K]; moment: H, float32 [groups, K, K].
    """
    diagonal = torch.diagonal(moment, dim1=1, dim2=2)
    # Inputs that are always zero are free; the damping keeps their column solvable.
    damping = DAMPING * diagonal.mean(1, keepdim=True) + 1e-12
    damped = moment + torch.diag_embed(damping.expand_as(diagonal))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped.double()))
    factor = torch.linalg.cholesky(inverse, upper=True).float()
    compensated, chosen = weight.clone(), torch.empty_like(weight)
    for column in range(weight.shape[2]):
        chosen[:, :, column : column + 1] = grid.column(column).near(compensated[:, :, column : column + 1])
        error = (compensated - chosen)[:, :, column] / factor[:, column, column, None]
        compensated[:, :, column:] -= error[:, :, None] * factor[:, None, column, column:]
    return local_search(weight, moment, grid, grid.whole(chosen), (grid.low, grid.high))


def adaround(weight: Tensor, moment: Tensor, grid: Grid) -> Tensor:
    """Round each weight up or down by descent on a soft choice that hardens (AdaRound).

    Nagel et al. 2020, equations 21 to 25. weight: float32 [groups, outputs, K]; moment: H, float32 [groups, K, K].
    """
    floor = torch.floor(weight / grid.scale)
    part = (weight / grid.scale - floor).clamp(0.01, 0.99)
    soft = torch.logit((part + 0.1) / 1.2)
    # Each output on the scale of its own error by nearest rounding, so that one balance fits all layers.
    norm = 1 / squared(weight - grid.near(weight), moment).clamp_min(1e-30)
    average, square = torch.zeros_like(soft), torch.zeros_like(soft)
    for step in range(STEPS):
        sigmoid = torch.sigmoid(soft)
        chance = (sigmoid * 1.2 - 0.1).clamp(0, 1)
        inside = ((chance > 0) & (chance < 1)).float()
        whole = torch.clamp(floor + chance, grid.low, grid.high)
        slope = 2 * ((whole * grid.scale - weight) @ moment) * grid.scale * norm.unsqueeze(-1)
        slope = slope + _hardening(chance, step)
        slope = slope * inside * sigmoid * (1 - sigmoid) * 1.2
        average, square = 0.9 * average + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        soft = soft - RATE * (average / (1 - 0.9 ** (step + 1))) / ((square / (1 - 0.999 ** (step + 1))).sqrt() + 1e-12)
    low, high = torch.maximum(floor, grid.low), torch.minimum(floor + 1, grid.high)
    return local_search(weight, moment, grid, torch.clamp(floor + (soft >= 0).float(), low, high), (low, high))


def local_search(weight: Tensor, moment: Tensor, grid: Grid, whole: Tensor, bounds: tuple[Tensor, Tensor]) -> Tensor:
    """Move one weight of each output up or down by one step, the one that helps most, until none does.

    A local search like the one that ends CDQuant (Nair and Suggala 2024). whole: the integers to start from, as floats.
    bounds: least and largest integer of each weight. Returns weights, float32 as `weight`.
    """
    diagonal = torch.diagonal(moment, dim1=1, dim2=2)[:, None, :]
    slope = 2 * ((whole * grid.scale - weight) @ moment)
    step = grid.scale.expand_as(weight)
    for _ in range(2 * weight.shape[2]):
        gains = []
        for sign in (1.0, -1.0):
            change = sign * step * slope + step**2 * diagonal
            allowed = (whole + sign >= bounds[0]) & (whole + sign <= bounds[1])
            gains.append(torch.where(allowed, change, torch.inf))
        best, where = torch.cat(gains, -1).min(-1)
        if not bool((best < 0).any()):
            break
        column = where % weight.shape[2]
        sign_of = torch.where(where < weight.shape[2], 1.0, -1.0) * (best < 0)
        whole = whole.scatter_add(2, column[..., None], sign_of[..., None])
        moved = sign_of * step.gather(2, column[..., None])[..., 0]
        lines = torch.gather(moment, 1, column[..., None].expand(-1, -1, moment.shape[2]))
        slope = slope + 2 * moved[..., None] * lines
    return whole * grid.scale


def _hardening(chance: Tensor, step: int) -> Tensor:
    """Slope of the regularizer `1 - |2 h - 1| ** beta`, with beta from 20 down to 2; 0 in the first fifth."""
    done = (step / STEPS - 0.2) / 0.8
    if done < 0:
        return torch.zeros_like(chance)
    beta = 2 + 18 * (1 - done)
    centred = 2 * chance - 1
    return -HARDNESS * 2 * beta * centred.abs() ** (beta - 1) * centred.sign()
