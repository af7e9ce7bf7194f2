"""Cross-layer equalization: channels scaled in one layer and back in the next, so that one quantizer scale fits all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.passes.base import Pass, Rewritten

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

    from edgekit.passes.quantization.weighted_layers import WeightedLayer

ROUNDS = 40
ENOUGH = 1e-3
"""Least change of a channel's scale, as a share, for another round."""


@dataclass(frozen=True)
class LayerPair:
    """Two layers in a row: the output channels of the first are the input channels of the second."""

    first: WeightedLayer
    second: WeightedLayer
    repeat: int
    """Inputs of the second layer for each channel of the first: positions of a flattened feature map."""


@dataclass(frozen=True)
class Equalize(Pass):
    """Make each channel's weight range the same on both sides of a ReLU (Nagel et al. 2019, section 4.1).

    Pairs of layers are connected through operators that let a positive factor pass: ReLU, leaky ReLU, pooling, means,
    zero padding, and reshapes. ReLU6, hard-swish and other bounds do not; neither does a value with a second reader.
    """

    name: ClassVar[str] = "equalize"

    rounds: int = ROUNDS
    """Largest number of rounds over all pairs."""

    def rewrite(self, exported: ExportedProgram) -> Rewritten:
        from edgekit.frontend.canonical import exported_again
        from edgekit.passes.quantization.weighted_layers import replace, value

        module = exported.module()
        chain = list(pairs(module))
        constants = {c: value(module, c).clone() for p in chain for layer in (p.first, p.second) for c in _held(layer)}
        factor = 1.0
        for _ in range(self.rounds):
            worst = max([_equalized(pair, constants) for pair in chain], default=0.0)
            factor = max(factor, worst + 1)
            if worst < ENOUGH:
                break
        for constant, tensor in constants.items():
            replace(module, constant, tensor)
        names = " ".join(f"{pair.first.name}-{pair.second.name}" for pair in chain) or "none"
        return Rewritten(exported_again(module, exported), (("pairs", names), ("largest factor", f"{factor:.3g}")))


def _held(layer: WeightedLayer) -> list[Node]:
    return [constant for constant in (layer.weight, layer.bias) if constant is not None]


def _equalized(pair: LayerPair, constants: dict[Node, Tensor]) -> float:
    """Scale both layers once, in `constants`. Returns the largest factor of a channel, less one."""
    import torch

    first, second = constants[pair.first.weight], constants[pair.second.weight]
    outgoing = first.abs().flatten(1).amax(1)
    incoming = _by_input(pair, second).abs().amax((1, 2))
    # A channel without a weight on either side has nothing to equalize.
    alive = (outgoing > 0) & (incoming > 0)
    scale = torch.where(alive, torch.sqrt(outgoing.clamp_min(1e-30) / incoming.clamp_min(1e-30)), 1.0)
    # Powers of two would be exact; these are not, and the SQNR of the record says by how little.
    constants[pair.first.weight] = first / scale.reshape(-1, *[1] * (first.dim() - 1))
    if pair.first.bias is not None:
        constants[pair.first.bias] = constants[pair.first.bias] / scale
    constants[pair.second.weight] = _scaled_inputs(pair, second, scale)
    return float(torch.maximum(scale, 1 / scale).max()) - 1


def _by_input(pair: LayerPair, weight: Tensor) -> Tensor:
    """Weights of the second layer by the channel that they multiply, [input channels, weights of the channel, 1]."""
    groups = pair.second.groups
    outputs, inputs = weight.shape[0], weight.shape[1]
    grouped = weight.reshape(groups, outputs // groups, inputs, -1).transpose(1, 2)
    flat = grouped.reshape(groups * inputs, outputs // groups, -1)
    return flat.reshape(flat.shape[0] // pair.repeat, -1, 1)


def _scaled_inputs(pair: LayerPair, weight: Tensor, scale: Tensor) -> Tensor:
    groups = pair.second.groups
    outputs, inputs = weight.shape[0], weight.shape[1]
    factors = scale.repeat_interleave(pair.repeat).reshape(groups, 1, inputs, 1)
    return (weight.reshape(groups, outputs // groups, inputs, -1) * factors).reshape(weight.shape)


def pairs(module: GraphModule) -> Iterator[LayerPair]:
    """Pairs of layers between which channels may be scaled."""
    from edgekit.passes.quantization.weighted_layers import layers

    weighted = layers(module)
    by_node = {layer.node: layer for layer in weighted}
    for first in weighted:
        end = _followed(first.node)
        second = by_node.get(end)
        if second is None or second.source not in _line(first.node):
            continue
        channels = _outputs(module, first)
        inputs = _inputs(module, second)
        flattened = any(_flattens(node) for node in _line(first.node))
        if _channels_kept(first, second, flattened) and inputs % channels == 0 and (flattened or inputs == channels):
            yield LayerPair(first, second, inputs // channels)


def _outputs(module: GraphModule, layer: WeightedLayer) -> int:
    from edgekit.passes.quantization.weighted_layers import value

    return int(value(module, layer.weight).shape[0])


def _inputs(module: GraphModule, layer: WeightedLayer) -> int:
    from edgekit.passes.quantization.weighted_layers import value

    return int(value(module, layer.weight).shape[1]) * layer.groups


def _channels_kept(first: WeightedLayer, second: WeightedLayer, flattened: bool) -> bool:
    """True if the channels of `first` are those of `second`: axis 1 after a convolution, the last after a linear."""
    if first.is_linear:
        return second.is_linear and not flattened
    return not second.is_linear or flattened or _drops_positions(second)


def _drops_positions(second: WeightedLayer) -> bool:
    value = second.source.meta.get("val")
    return value is not None and value.dim() == 2


def _line(node: Node) -> list[Node]:
    """Node, and its only readers one after the other, as long as a positive factor passes through them."""
    line = [node]
    while len(line[-1].users) == 1:
        (after,) = line[-1].users
        if not _passes(after):
            break
        line.append(after)
    return line


def _followed(node: Node) -> Any:
    last = _line(node)[-1]
    return next(iter(last.users)) if len(last.users) == 1 else None


def _passes(node: Node) -> bool:
    """True if `f(s x) = s f(x)` for a positive s of each channel."""
    import torch

    aten = torch.ops.aten
    always = {
        aten.relu.default,
        aten.relu_.default,
        aten.leaky_relu.default,
        aten.leaky_relu_.default,
        aten.max_pool1d.default,
        aten.max_pool2d.default,
        aten.avg_pool1d.default,
        aten.avg_pool2d.default,
        aten.adaptive_avg_pool1d.default,
        aten.adaptive_avg_pool2d.default,
        aten.dropout.default,
        aten.dropout_.default,
        aten.clone.default,
        aten.contiguous.default,
        aten.upsample_nearest2d.vec,
    }
    if node.target in always:
        return True
    if node.target is aten.mean.dim:
        return _is_spatial(node)
    if node.target in (aten.pad.default, aten.constant_pad_nd.default):
        return _pads_zeros(node)
    return _flattens(node)


def _is_spatial(node: Node) -> bool:
    axes, dim = node.args[1], node.all_input_nodes[0].meta["val"].dim()
    return isinstance(axes, list | tuple) and dim > 2 and all(int(str(axis)) % dim >= 2 for axis in axes)


def _pads_zeros(node: Node) -> bool:
    pads, *rest = node.args[1:]
    spatial = isinstance(pads, list | tuple) and len(pads) <= 2 * (node.meta["val"].dim() - 2)
    constant = not rest or rest[0] in ("constant", 0, 0.0)
    filled = rest[1] if len(rest) > 1 else 0
    return spatial and constant and filled in (0, None)


def _flattens(node: Node) -> bool:
    """True if all axes behind the batch axis become one."""
    import torch

    aten = torch.ops.aten
    if node.target not in (aten.flatten.using_ints, aten.reshape.default, aten.view.default):
        return False
    before, after = node.all_input_nodes[0].meta["val"].shape, node.meta["val"].shape
    return len(after) == 2 and len(before) > 2 and before[0] == after[0] and after[1] == before[1:].numel()
