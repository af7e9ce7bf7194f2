"""Fake quantization of a calibrated program: every observer replaced by rounding to its scale.

The result computes, in float, what the converted program will.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Node
from torch.utils import _pytree as pytree
from torchao.quantization.pt2e import ObserverBase

from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.quantization.dynamic_rounding import DynamicFakeQuantized, DynamicObserver

if TYPE_CHECKING:
    from edgekit.passes.base import Sample

TOGETHER = 32
"""Samples in a batch, if a program that was exported for one sample takes more."""
aten = torch.ops.aten
RECURRENT: set[object] = {aten.lstm.input, aten.gru.input, aten.rnn_tanh.input, aten.rnn_relu.input}
"""Operators whose initial state has the batch of the export. They do not check it: LSTM reads beyond its memory."""
GUARDS = "_guards_fn"
"""Name of the module by which torch checks that inputs have the shapes of the export."""


class FakeQuantized(nn.Module):
    """Module that quantizes and dequantizes its input, float32 of any shape, with the scale of an observer."""

    def __init__(self, observer: ObserverBase) -> None:
        super().__init__()
        scale, zero_point = observer.calculate_qparams()
        self.scale, self.zero_point = scale.float(), zero_point.float()
        self.bounds = observer.quant_min, observer.quant_max
        self.axis = observer.ch_axis if len(self.scale) > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        scale, zero_point = self.scale, self.zero_point
        if self.axis is not None:
            shape = [1] * x.dim()
            shape[self.axis] = -1
            scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
        # Multiplied by the inverse, as torch's own operator does it.
        steps = torch.round(x * (1 / scale)) + zero_point
        rounded: Tensor = (torch.clamp(steps, *self.bounds) - zero_point) * scale
        return rounded


def fake_quantization(observer: ObserverBase) -> nn.Module:
    """Module that rounds as an observer says: by its range, or by that of each input."""
    is_dynamic = isinstance(observer, DynamicObserver)
    return DynamicFakeQuantized(observer) if is_dynamic else FakeQuantized(observer)


def observers(prepared: GraphModule) -> Iterator[tuple[Node, ObserverBase]]:
    """Calls of observers in a prepared program, with the observer, in the order of computation."""
    modules = dict(prepared.named_modules(remove_duplicate=False))
    for node in prepared.graph.nodes:
        if node.op == "call_module" and isinstance(modules.get(str(node.target)), ObserverBase):
            yield node, modules[str(node.target)]


def simulated(prepared: GraphModule, weights_only: bool = False) -> GraphModule:
    """Copy of a calibrated program with fake quantization in the place of every observer; takes any batch.

    Constants are rounded once. `prepared` is not changed. weights_only: leave activations in float.
    """
    copy = unguarded(prepared)
    constants: dict[str, Tensor] = {}
    for node, observer in list(observers(copy)):
        source = node.args[0]
        assert isinstance(source, Node)
        if source.op == "get_attr":
            name = f"rounded_{len(constants)}"
            constants[name] = FakeQuantized(observer)(_attribute(copy, str(source.target)).detach())
            copy.register_buffer(name, constants[name])
            with copy.graph.inserting_before(node):
                constant = copy.graph.get_attr(name)
            constant.meta = dict(node.meta)
            node.replace_all_uses_with(constant)
            copy.graph.erase_node(node)
        else:
            setattr(copy, str(node.target), nn.Identity() if weights_only else fake_quantization(observer))
    copy.recompile()
    return copy


def unguarded(module: GraphModule) -> GraphModule:
    """Copy of a program, sharing its modules, without the checks that inputs have the shapes of the export."""
    copy = GraphModule(module, _copied(module.graph))
    for node in list(copy.graph.nodes):
        if node.op == "call_module" and node.target == GUARDS:
            copy.graph.erase_node(node)
    copy.recompile()
    return copy


def _copied(graph: Graph) -> Graph:
    """Copy of a graph, with nodes of the same names."""
    copy = Graph()
    copy.output(copy.graph_copy(graph, {}))
    copy.set_codegen(graph._codegen)
    return copy


def _attribute(module: nn.Module, target: str) -> Tensor:
    path, _, name = target.rpartition(".")
    value: Tensor = getattr(module.get_submodule(path), name)
    return value


def batch_of(module: GraphModule, samples: Sequence[Sample]) -> int:
    """Batch size of an unguarded program: `TOGETHER`, or 1 if two samples together give other outputs than alone."""
    if any(node.target in RECURRENT for node in module.graph.nodes):
        return 1
    if len(samples) < 2 or len({tuple(value.shape for value in sample) for sample in samples}) > 1:
        return 1
    pair = samples[:2]
    with torch.no_grad():
        alone = [pytree.tree_leaves(module(*sample)) for sample in pair]
        try:
            both = pytree.tree_leaves(module(*_stacked(pair)))
        except (RuntimeError, AssertionError):  # a shape in the graph states the batch
            return 1
    for leaf, *parts in zip(both, *alone, strict=True):
        expected = torch.cat(parts) if parts[0].dim() else torch.stack(parts)
        close = {"rtol": 1e-3, "atol": 1e-4 * _size(expected)}
        if leaf.shape != expected.shape or not torch.allclose(leaf, expected, equal_nan=True, **close):
            return 1
    return TOGETHER


def _size(values: Tensor) -> float:
    """Largest magnitude of the finite values; 0 without any."""
    finite = values[torch.isfinite(values)]
    return float(finite.abs().max()) if finite.numel() else 0.0


def stacked(samples: Sequence[Sample], together: int) -> list[Sample]:
    """Samples in batches of `together`, in their order."""
    return [_stacked(samples[first : first + together]) for first in range(0, len(samples), together)]


def _stacked(samples: Sequence[Sample]) -> Sample:
    return tuple(torch.cat(values) if len(values) > 1 else values[0] for values in zip(*samples, strict=True))


def answers(module: GraphModule, batches: Sequence[Sample]) -> list[Tensor]:
    """Outputs of a program, one tensor an output, batches joined along the first axis."""
    with torch.no_grad():
        leaves = [pytree.tree_leaves(module(*batch)) for batch in batches]
    return [_joined(parts) for parts in zip(*leaves, strict=True)]


def output_sqnr_db(reference: Sequence[Tensor], outputs: Sequence[Tensor]) -> float:
    """SQNR of the worst output of real numbers, in dB; minus infinity if one is not finite, infinite without any.

    reference, outputs: one tensor an output, of the same shapes.
    """
    pairs = [pair for pair in zip(reference, outputs, strict=True) if pair[0].is_floating_point()]
    qualities = [sqnr_db(expected.numpy(), value.numpy()) for expected, value in pairs]
    return min((-math.inf if math.isnan(quality) else quality for quality in qualities), default=math.inf)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Join outputs along the first axis; flat, where free lengths give them different shapes."""
    if len({part.shape[1:] for part in parts}) > 1:
        return torch.cat([part.flatten() for part in parts])
    return torch.cat([part if part.dim() else part[None] for part in parts])
