"""Bias correction: the shift of the mean of a layer's outputs by quantization is subtracted from its bias."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from edgekit.passes.quantization.node_recorder import run_in_lockstep, watch
from edgekit.passes.quantization.simulate import observers, simulated, unguarded
from edgekit.passes.quantization.weighted_layers import WeightedLayer, layers, value

if TYPE_CHECKING:
    from edgekit.passes.base import Sample

aten = torch.ops.aten
CLAMPS: dict[Any, tuple[float, float]] = {
    aten.relu.default: (0.0, math.inf),
    aten.relu_.default: (0.0, math.inf),
    aten.relu6.default: (0.0, 6.0),
    aten.relu6_.default: (0.0, 6.0),
    aten.hardtanh.default: (-1.0, 1.0),
    aten.hardtanh_.default: (-1.0, 1.0),
}
"""Clamps that may follow a layer, with their default bounds."""
RARE = 0.1
"""Least share of a channel's outputs inside the clamp for which the bias is corrected in full."""
HELD = 64 * 2**20
"""Largest number of elements of one value of the program, over all samples that run in lockstep."""


def corrected_biases(prepared: GraphModule, batches: Sequence[Sample], names: Container[str]) -> dict[Node, Tensor]:
    """Corrected biases, float32 [outputs], by the node that reads them, for a calibrated program.

    Empirical bias correction (Nagel et al. 2019, section 4.2, appendix D), layer by layer: the error of one is measured
    with those before it corrected. Layers without a bias, or whose weight stays in float, are left as they are. names:
    of the nodes of the layers to correct.
    """
    correctable = [layer for layer in layers(prepared) if layer.bias and layer.observer]
    chosen = {layer.node.name: layer for layer in correctable if layer.node.name in names}
    batches = batches[: _batches_in_memory(prepared, batches)]
    means = _means(prepared, batches, chosen)
    biases: dict[Node, Tensor] = {}

    def correct(name: str, results: list[Any]) -> list[Any]:
        if name not in chosen:
            return results
        layer = chosen[name]
        low, high = bounds(layer.node)
        alive = _mean(layer, [((result > low) & (result < high)).float() for result in results])
        error = (means[name] - _mean(layer, [result.clamp(low, high) for result in results])) / alive.clamp(min=RARE)
        assert layer.bias
        biases[layer.bias] = value(prepared, layer.bias) + error
        return [result + _spread(layer, error, result) for result in results]

    run_in_lockstep(simulated(prepared), batches, correct)
    return biases


def _batches_in_memory(prepared: GraphModule, batches: Sequence[Sample]) -> int:
    """Number of batches that fit into memory together, by the largest value of a sample; at least one."""
    values = [node.meta["val"] for node in prepared.graph.nodes if isinstance(node.meta.get("val"), Tensor)]
    largest = max((value.numel() for value in values), default=1) * max((len(batch[0]) for batch in batches), default=1)
    return max(1, HELD // largest)


def _means(prepared: GraphModule, batches: Sequence[Sample], chosen: dict[str, WeightedLayer]) -> dict[str, Tensor]:
    """Mean of each layer's outputs in float, by channel, after the clamp that follows it."""
    parts_by_layer: dict[str, list[Tensor]] = {name: [] for name in chosen}
    see = {name: _keeping(parts_by_layer[name], layer) for name, layer in chosen.items()}
    watch(unobserved(prepared), batches, see)
    sizes = torch.tensor([len(batch[0]) for batch in batches], dtype=torch.float32)
    return {name: (torch.stack(parts) * sizes[:, None]).sum(0) / sizes.sum() for name, parts in parts_by_layer.items()}


def _keeping(parts: list[Tensor], layer: WeightedLayer) -> Any:
    return lambda _, result: parts.append(_mean(layer, [result.clamp(*bounds(layer.node))]))


def bounds(node: Node) -> tuple[float, float]:
    """Bounds of the clamp after a layer, if nothing else reads the layer; infinite without one."""
    reader = next(iter(node.users)) if len(node.users) == 1 else None
    if reader is not None and reader.target in CLAMPS:
        low, high = (*reader.args[1:], *CLAMPS[reader.target][len(reader.args) - 1 :])[:2]
        return low if isinstance(low, int | float) else -math.inf, high if isinstance(high, int | float) else math.inf
    return -math.inf, math.inf


def _mean(layer: WeightedLayer, results: Sequence[Tensor]) -> Tensor:
    """Mean over all samples and positions, float32 [outputs]."""
    axis = -1 if layer.is_linear else 1
    flat = [result.movedim(axis, -1).reshape(-1, result.shape[axis]) for result in results]
    return torch.cat(flat).mean(0)


def _spread(layer: WeightedLayer, error: Tensor, result: Tensor) -> Tensor:
    return error if layer.is_linear else error.reshape(-1, *[1] * (result.dim() - 2))


def unobserved(prepared: GraphModule) -> GraphModule:
    """Copy of a prepared program without observers: the float program, node for node."""
    copy = unguarded(prepared)
    for node, _ in list(observers(copy)):
        setattr(copy, str(node.target), nn.Identity())
    return copy
