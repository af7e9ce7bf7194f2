"""Weight rounding by GPTQ and AdaRound: the error of a layer's outputs is minimized, not that of each weight.

Both change the float weights to values whose nearest rounding, with the scales already found, is the chosen integer; so
every backend stores it. Both minimize `dW H dW'` of each output, where H is the mean of x x' over the layer's
calibration inputs as the quantized program computes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import ObserverBase

from edgekit.passes.quantization.node_recorder import watch
from edgekit.passes.quantization.rounding_solvers import Grid, adaround, gptq, squared
from edgekit.passes.quantization.simulate import simulated
from edgekit.passes.quantization.weighted_layers import WeightedLayer, layers, rows, value
from edgekit.specs.compression import Rounding

if TYPE_CHECKING:
    from edgekit.passes.base import Sample

MOMENTS = 64 * 2**20
"""Largest number of elements of H in memory; the data run through the program once for as many layers as fit."""
SPREAD = 16 * 2**20
"""Largest number of elements of the unfolded patches of a convolution at one time."""


@dataclass(frozen=True)
class RoundedWeight:
    """New weight of one layer, and the squared error of its outputs."""

    layer: WeightedLayer
    weight: Tensor
    """Rounded weight, float32 of the layer's shape."""
    nearest: float
    """Squared error of the outputs by nearest rounding."""
    chosen: float
    """Squared error of the outputs by this weight."""


def rounded_weights(prepared: GraphModule, method: Rounding, batches: Sequence[Sample]) -> Iterator[RoundedWeight]:
    """Rounded weights of every layer of a calibrated program whose weight is quantized.

    Outputs whose error the method does not reduce keep nearest rounding. batches: calibration samples.
    """
    solve = {"gptq": gptq, "adaround": adaround}[method]
    chosen = [layer for layer in layers(prepared) if layer.observer]
    for some in layer_shares(prepared, chosen):
        moments = second_moments(prepared, some, batches)
        for layer in some:
            yield _rounded(prepared, layer, moments[layer.node], solve)


def _rounded(
    prepared: GraphModule, layer: WeightedLayer, moment: Tensor, solve: Callable[..., Tensor]
) -> RoundedWeight:
    weight = value(prepared, layer.weight)
    grouped = weight.reshape(layer.groups, -1, moment.shape[-1])
    grid = _grid(prepared, layer, grouped)
    nearest = grid.near(grouped)
    solved = grid.near(solve(grouped, moment, grid))
    errors = [squared(grouped - candidate, moment) for candidate in (nearest, solved)]
    # Output by output: those that the solver did not help keep nearest rounding.
    helped = (errors[1] < errors[0]).unsqueeze(-1)
    best = torch.where(helped, solved, nearest).reshape(weight.shape)
    return RoundedWeight(layer, best, float(errors[0].sum()), float(torch.minimum(*errors).sum()))


def _grid(prepared: GraphModule, layer: WeightedLayer, grouped: Tensor) -> Grid:
    assert layer.observer
    observer = prepared.get_submodule(layer.observer)
    assert isinstance(observer, ObserverBase)
    scale, zero_point = observer.calculate_qparams()
    shape = grouped.shape[:2] if len(scale) > 1 else (1, 1)
    zero_point = zero_point.float().reshape(*shape, 1)
    return Grid(scale.float().reshape(*shape, 1), observer.quant_min - zero_point, observer.quant_max - zero_point)


def layer_shares(prepared: GraphModule, chosen: Sequence[WeightedLayer]) -> Iterator[list[WeightedLayer]]:
    """Layers of a program, calibrated or in float, in groups whose second moments fit into memory together."""
    share: list[WeightedLayer] = []
    elements = 0
    for layer in chosen:
        weight = value(prepared, layer.weight)
        size = layer.groups * (weight[0].numel()) ** 2
        if share and elements + size > MOMENTS:
            yield share
            share, elements = [], 0
        share, elements = [*share, layer], elements + size
    if share:
        yield share


def second_moments(
    prepared: GraphModule, some: Sequence[WeightedLayer], batches: Sequence[Sample]
) -> dict[Node, Tensor]:
    """Second moments: mean of x x' over samples and positions, float32 [groups, K, K] for each layer.

    prepared: a calibrated program, or one in float.
    """
    sums: dict[Node, Tensor] = {}
    counts: dict[Node, int] = {}

    def seeing(layer: WeightedLayer) -> Callable[[Tensor, Tensor], None]:
        weight = value(prepared, layer.weight)

        def see(x: Tensor, result: Tensor) -> None:
            for part in torch.split(x, _at_once(layer, weight, result)):
                vectors = rows(layer, weight, part)
                sums[layer.node] = sums.get(layer.node, 0) + vectors.transpose(1, 2) @ vectors
                counts[layer.node] = counts.get(layer.node, 0) + vectors.shape[1]

        return see

    watch(simulated(prepared), batches, {layer.node.name: seeing(layer) for layer in some})
    return {node: total / counts[node] for node, total in sums.items()}


def _at_once(layer: WeightedLayer, weight: Tensor, result: Tensor) -> int:
    """Number of samples whose patches are unfolded together."""
    positions = 1 if layer.is_linear else result[0, 0].numel()
    return max(1, SPREAD // (layer.groups * weight[0].numel() * positions))
