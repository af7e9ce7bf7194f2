"""SmoothQuant: the outliers of a layer norm's channels moved into the weights of the linear layers that read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from edgekit.errors import PassError
from edgekit.passes.base import Pass, Rewritten

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.weighted_layers import WeightedLayer


@dataclass(frozen=True)
class Normed:
    """Layer norm over the last axis with constants of its own, and the linear layers that read it, its only readers."""

    norm: Node
    weight: Node
    bias: Node | None
    readers: tuple[WeightedLayer, ...]


@dataclass(frozen=True)
class Smooth(Pass):
    """Divide each channel by `max|x|^alpha / max|w|^(1 - alpha)`, and multiply its weights by the same.

    SmoothQuant, Xiao et al. 2022, equation 4. alpha: the share of the activations' range that moves into the weights,
    in (0, 1). A norm with any other reader is left alone.
    """

    name: ClassVar[str] = "smooth"

    alpha: float
    samples: Sequence[Sample]

    def requires(self, exported: ExportedProgram) -> None:
        if not self.samples:
            raise PassError("smoothing needs a calibration set", hint="state [data] calibration in edgekit.toml")

    def options(self) -> tuple[tuple[str, str], ...]:
        return (("alpha", str(self.alpha)), ("samples", str(len(self.samples))))

    def rewrite(self, exported: ExportedProgram) -> Rewritten:
        from edgekit.frontend.canonical import exported_again
        from edgekit.passes.quantization.weighted_layers import replace

        module = exported.module()
        groups = list(normed(module))
        largest = _largest(module, groups, self.samples)
        for group in groups:
            for constant, tensor in _smoothed(module, group, largest[group.norm], self.alpha).items():
                replace(module, constant, tensor)
        names = " ".join(layer.name for group in groups for layer in group.readers)
        return Rewritten(exported_again(module, exported), (("layers", names or "none"),))


def _largest(module: GraphModule, groups: Sequence[Normed], samples: Sequence[Sample]) -> dict[Node, Tensor]:
    """Largest magnitude of every channel that a norm computes, float32 [channels]."""
    import torch

    from edgekit.passes.quantization.node_recorder import See, watch
    from edgekit.passes.quantization.simulate import batch_of, stacked, unguarded

    largest: dict[Node, Tensor] = {}

    def seeing(node: Node) -> See:
        def see(_: Tensor, result: Tensor) -> None:
            now = result.abs().flatten(0, -2).amax(0)
            largest[node] = torch.maximum(largest[node], now) if node in largest else now

        return see

    free = unguarded(module)
    batches = stacked(samples, batch_of(free, samples))
    watch(free, batches, {group.norm.name: seeing(group.norm) for group in groups})
    return largest


def _smoothed(module: GraphModule, group: Normed, largest: Tensor, alpha: float) -> dict[Node, Tensor]:
    import torch

    from edgekit.passes.quantization.weighted_layers import value

    weights = {layer.weight: value(module, layer.weight) for layer in group.readers}
    widest = torch.stack([weight.abs().amax(0) for weight in weights.values()]).amax(0)
    alive = (largest > 0) & (widest > 0)
    scale = torch.where(alive, largest.clamp_min(1e-12) ** alpha / widest.clamp_min(1e-12) ** (1 - alpha), 1.0)
    changed = {node: weight * scale for node, weight in weights.items()}
    for constant in (group.weight, group.bias):
        if constant is not None:
            changed[constant] = value(module, constant) / scale
    return changed


def normed(module: GraphModule) -> Iterator[Normed]:
    """Layer norms whose channels may be scaled."""
    import torch

    from edgekit.passes.quantization.weighted_layers import layers

    by_node = {layer.node: layer for layer in layers(module) if layer.is_linear}
    for node in module.graph.nodes:
        if node.target is not torch.ops.aten.layer_norm.default or len(node.args) < 3 or len(node.args[1]) != 1:
            continue
        weight, bias = node.args[2], node.args[3] if len(node.args) > 3 else None
        if weight is None or any(constant is not None and not _own(constant) for constant in (weight, bias)):
            continue
        readers = list(_readers(node))
        if readers and all(reader in by_node for reader in readers):
            yield Normed(node, weight, bias, tuple(by_node[reader] for reader in dict.fromkeys(readers)))


def _own(constant: Node) -> bool:
    return constant.op == "get_attr" and len(constant.users) == 1


def _readers(node: Node) -> Iterator[Node]:
    """Readers of the node's values, looked up through operators that leave the last axis in place."""
    import torch

    aten = torch.ops.aten
    for user in node.users:
        moves = user.target in (aten.dropout.default, aten.clone.default, aten.contiguous.default)
        if moves or (user.target is aten.transpose.int and _keeps_last(user)):
            yield from _readers(user)
        else:
            yield user


def _keeps_last(node: Node) -> bool:
    last = node.meta["val"].dim() - 1
    return all(int(str(axis)) % (last + 1) != last for axis in node.args[1:3])
