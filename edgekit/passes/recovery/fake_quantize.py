"""Fake quantization for training (QAT): a network that rounds as its integer kernels will, and has gradients."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.frontend.canonical import exported_again, without_writes
from edgekit.frontend.load import Model
from edgekit.passes.recovery.weight_graph import WEIGHTS, join_weights, split_weights, with_derivatives

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.quantize import Quantization


class FakeQuantizer(nn.Module):
    """Fake quantizer: rounds to the scale and zero point of an observer.

    Gradients pass where nothing is clipped (straight-through estimator, Bengio et al. 2013).
    """

    def __init__(self, observer: Any, follows: bool) -> None:
        super().__init__()
        # In lists, and no buffers: no part of what is trained.
        self.unused, self.observer = [observer], [copy.deepcopy(observer)]
        self.observing = False
        """True while values are recorded by the observer and pass unchanged."""
        self.follows = follows
        """True if the range is computed at every call, as for a weight that changes."""
        self.scale, self.zero_point = torch.ones(1), torch.zeros(1)

    def forget(self) -> None:
        """Start to observe, without the values seen before."""
        self.observer, self.observing = [copy.deepcopy(self.unused[0])], True

    def settle(self) -> None:
        """End observing; round to the range of the values seen."""
        self.scale, self.zero_point = self.observer[0].calculate_qparams()
        self.observing = False

    def forward(self, x: Tensor) -> Tensor:
        """Fake-quantized `x`; `x` itself while observing."""
        if self.observing:
            unchanged: Tensor = self.observer[0](x)
            return unchanged
        if self.follows:
            self.forget()
            self.observer[0](x.detach())
            self.settle()
        observer = self.observer[0]
        low, high = observer.quant_min, observer.quant_max
        if self.scale.numel() == 1:
            scale, zero = float(self.scale), int(self.zero_point)
            return torch.fake_quantize_per_tensor_affine(x, scale, zero, low, high)
        zeros = self.zero_point.to(torch.int32)
        return torch.fake_quantize_per_channel_affine(x, self.scale.float(), zeros, observer.ch_axis, low, high)


class Batched(nn.Module):
    """Program of a fixed batch size that takes any number of samples: the last batch is filled up."""

    def __init__(self, program: GraphModule, batch: int) -> None:
        super().__init__()
        self.program = program
        self.batch = batch

    def forward(self, *inputs: Tensor) -> Any:
        count = len(inputs[0])
        if count == self.batch:
            return self.program(*inputs)
        numbers = torch.arange(-(-count // self.batch) * self.batch).clamp(max=count - 1)
        parts = [self.program(*(values[index] for values in inputs)) for index in torch.split(numbers, self.batch)]
        return pytree.tree_map(lambda *outputs: torch.cat(outputs)[:count], *parts)


def fake_quantized(model: Model, quantization: Quantization, batch: int) -> Batched:
    """Prepare `model` for QAT: fold batch norms, and fake-quantize every value that the backend's quantizer annotates.

    Ranges of weights follow the weights; those of activations are set by `calibrate`. batch: samples in a batch, fixed,
    because torchao's quantizers fail on a dynamic one.
    """
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

    examples = tuple(example.repeat(batch, *[1] * (example.ndim - 1)) for example in model.examples)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torchao's own deprecated attributes
        exported = without_writes(torch.export.export(copy.deepcopy(model.module), examples))
        module = exported.module()
        with_derivatives(module)
        weights = split_weights(module)
        prepared = prepare_pt2e(exported_again(module, exported).module(), quantization.quantizer)
        _replace_observers(prepared)
    join_weights(prepared, weights)
    for parameter in prepared.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    return Batched(prepared, batch)


def calibrate(network: Batched, calibration: Sequence[Sample]) -> None:
    """Set the ranges of activations, with the current weights, by the recipe's observers, as quantization will."""
    quantizers = [part for part in network.modules() if isinstance(part, FakeQuantizer)]
    for quantizer in quantizers:
        quantizer.forget()
    columns = [torch.cat(column) for column in zip(*calibration, strict=True)]
    with torch.no_grad():
        for start in range(0, len(columns[0]), network.batch):
            network(*(column[start : start + network.batch] for column in columns))
    for quantizer in quantizers:
        quantizer.settle()


def _replace_observers(prepared: GraphModule) -> None:
    """Replace observers by fake quantizers, in place; biases of 32 bits, and inputs without a range, stay in float."""
    from torchao.quantization.pt2e import DerivedObserverOrFakeQuantize

    from edgekit.passes.quantization.dynamic_rounding import DynamicObserver

    by_observer: dict[int, nn.Module] = {}
    for node in list(prepared.graph.nodes):
        observer = prepared.get_submodule(node.target) if node.op == "call_module" else None
        if observer is None or not hasattr(observer, "calculate_qparams"):
            continue
        weight = node.args[0].op == "get_attr"
        derived = isinstance(observer, DerivedObserverOrFakeQuantize | DynamicObserver)
        replacement = nn.Identity() if derived else FakeQuantizer(observer, weight)
        setattr(prepared, node.target, by_observer.setdefault(id(observer), replacement))


def trained_weights(network: Batched) -> dict[str, Tensor]:
    """Trained parameters, by their names in the network that was exported."""
    start = f"{WEIGHTS}."
    named = network.program.named_parameters()
    return {name.removeprefix(start): value.detach().clone() for name, value in named if name.startswith(start)}
