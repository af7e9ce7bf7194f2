"""Weights rounded so that a layer's outputs move least, not so that each weight does: GPTQ and AdaRound.

Both change the float weights to values whose nearest rounding, with the scales already found, is the integer that was
chosen; so every backend stores it. Both minimize `dW H dW'` of each output, where H is the mean of x x' over the
layer's calibration inputs as the quantized program has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import ObserverBase

from edgekit.passes.layers import Layer, layers, rows, value
from edgekit.passes.simulate import simulated
from edgekit.passes.watch import watch
from edgekit.specs.compression import Rounding

if TYPE_CHECKING:
    from edgekit.passes.base import Sample

MOMENTS = 64 * 2**20
"""Elements of H kept at once; the data go through the program once for as many layers as fit."""
DAMPING = 0.01
"""Of the mean of H's diagonal, added to it (Frantar et al. 2022, section 3.3)."""
STEPS = 500
"""Of AdaRound's descent a layer; the paper takes 10,000 on samples, here each step sees all of them through H."""


@dataclass(frozen=True)
class Grid:
    """The values a weight may take: `scale * q` for whole q from `low` to `high` (zero points counted in)."""

    scale: Tensor
    """float32, [groups, outputs a group, 1]."""
    low: Tensor
    high: Tensor

    def whole(self, weight: Tensor) -> Tensor:
        """The nearest q, as floats."""
        return torch.clamp(torch.round(weight / self.scale), self.low, self.high)

    def near(self, weight: Tensor) -> Tensor:
        return self.whole(weight) * self.scale


@dataclass(frozen=True)
class Rounded:
    """What became of one layer's weight, and the squared error of its outputs by nearest rounding and by this one."""

    layer: Layer
    weight: Tensor
    nearest: float
    chosen: float


def rounded_weights(prepared: GraphModule, method: Rounding, batches: Sequence[Sample]) -> Iterator[Rounded]:
    """New weights for every layer of a calibrated program whose weight is quantized, and whose outputs they help."""
    solve = {"gptq": gptq, "adaround": adaround}[method]
    chosen = [layer for layer in layers(prepared) if layer.observer]
    for some in _shares(prepared, chosen):
        moments = _moments(prepared, some, batches)
        for layer in some:
            yield _rounded(prepared, layer, moments[layer.node], solve)


def _rounded(prepared: GraphModule, layer: Layer, moment: Tensor, solve: Callable[..., Tensor]) -> Rounded:
    weight = value(prepared, layer.weight)
    grouped = weight.reshape(layer.groups, -1, moment.shape[-1])
    grid = _grid(prepared, layer, grouped)
    nearest = grid.near(grouped)
    found = grid.near(solve(grouped, moment, grid))
    errors = [_error(grouped - candidate, moment) for candidate in (nearest, found)]
    # An output of its own each: those that the solver did not help keep what they had.
    helped = (errors[1] < errors[0]).unsqueeze(-1)
    best = torch.where(helped, found, nearest).reshape(weight.shape)
    return Rounded(layer, best, float(errors[0].sum()), float(torch.minimum(*errors).sum()))


def _grid(prepared: GraphModule, layer: Layer, grouped: Tensor) -> Grid:
    assert layer.observer
    observer = prepared.get_submodule(layer.observer)
    assert isinstance(observer, ObserverBase)
    scale, zero_point = observer.calculate_qparams()
    shape = grouped.shape[:2] if len(scale) > 1 else (1, 1)
    zero_point = zero_point.float().reshape(*shape, 1)
    return Grid(scale.float().reshape(*shape, 1), observer.quant_min - zero_point, observer.quant_max - zero_point)


def _error(change: Tensor, moment: Tensor) -> Tensor:
    """float32 [groups, outputs a group]."""
    return ((change @ moment) * change).sum(-1)


def _shares(prepared: GraphModule, chosen: Sequence[Layer]) -> Iterator[list[Layer]]:
    share: list[Layer] = []
    held = 0
    for layer in chosen:
        weight = value(prepared, layer.weight)
        size = layer.groups * (weight[0].numel()) ** 2
        if share and held + size > MOMENTS:
            yield share
            share, held = [], 0
        share, held = [*share, layer], held + size
    if share:
        yield share


def _moments(prepared: GraphModule, some: Sequence[Layer], batches: Sequence[Sample]) -> dict[Node, Tensor]:
    """Mean of x x' over samples and positions: float32 [groups, K, K] for each layer."""
    sums: dict[Node, Tensor] = {}
    counts: dict[Node, int] = {}

    def seeing(layer: Layer) -> Callable[[Tensor, Tensor], None]:
        weight = value(prepared, layer.weight)

        def see(x: Tensor, _: Tensor) -> None:
            vectors = rows(layer, weight, x)
            sums[layer.node] = sums.get(layer.node, 0) + vectors.transpose(1, 2) @ vectors
            counts[layer.node] = counts.get(layer.node, 0) + vectors.shape[1]

        return see

    watch(simulated(prepared), batches, {layer.node.name: seeing(layer) for layer in some})
    return {node: total / counts[node] for node, total in sums.items()}


def gptq(weight: Tensor, moment: Tensor, grid: Grid) -> Tensor:
    """Column by column, the error of each made good by those that follow (Frantar et al. 2022, algorithm 1).

    weight: float32 [groups, outputs, K]; moment: float32 [groups, K, K].
    """
    diagonal = torch.diagonal(moment, dim1=1, dim2=2)
    # Inputs that are always zero are free; the damping keeps their column solvable.
    damping = DAMPING * diagonal.mean(1, keepdim=True) + 1e-12
    damped = moment + torch.diag_embed(damping.expand_as(diagonal))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped.double()))
    factor = torch.linalg.cholesky(inverse, upper=True).float()
    left, chosen = weight.clone(), torch.empty_like(weight)
    for column in range(weight.shape[2]):
        chosen[:, :, column : column + 1] = grid.near(left[:, :, column : column + 1])
        error = (left - chosen)[:, :, column] / factor[:, column, column, None]
        left[:, :, column:] -= error[:, :, None] * factor[:, None, column, column:]
    return chosen


def adaround(weight: Tensor, moment: Tensor, grid: Grid) -> Tensor:
    """Up or down for each weight by descent on a soft choice that hardens (Nagel et al. 2020, equations 21 to 25).

    weight: float32 [groups, outputs, K]; moment: float32 [groups, K, K].
    """
    floor = torch.floor(weight / grid.scale)
    part = (weight / grid.scale - floor).clamp(0.01, 0.99)
    soft = torch.logit((part + 0.1) / 1.2)
    # Each output on the scale of its own error by nearest rounding, so that one balance fits all layers.
    norm = 1 / _error(weight - grid.near(weight), moment).clamp_min(1e-30)
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
    return torch.clamp(floor + (soft >= 0).float(), grid.low, grid.high) * grid.scale


RATE = 0.05
WEIGHT = 0.02


def _hardening(chance: Tensor, step: int) -> Tensor:
    """The slope of `1 - |2 h - 1| ** beta`, with beta from 20 down to 2; none in the first fifth."""
    done = (step / STEPS - 0.2) / 0.8
    if done < 0:
        return torch.zeros_like(chance)
    beta = 2 + 18 * (1 - done)
    centred = 2 * chance - 1
    return -WEIGHT * 2 * beta * centred.abs() ** (beta - 1) * centred.sign()
