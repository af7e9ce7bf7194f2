"""Sensitivity analysis: quantization noise of every layer, alone and in the whole network.

The calibration set runs through the network once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from edgekit.ir.layers import Layer
from edgekit.ir.measurement import Array
from edgekit.passes.base import one_thread
from edgekit.passes.sensitivity.fake_quant_pair import AffineRounding, FakeQuantPair, Values, calibrated_pair
from edgekit.passes.sensitivity.grouping import LayerGroup, is_observer
from edgekit.passes.sensitivity.statistics import Extent, Noise, Outside, channel_axis, per_channel, range_ratio
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.fx import Node

    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.quantize import Quantization

MEASURED = 128
"""Number of calibration samples, spread evenly, on which noise is measured; ranges come from all of them."""
MULTIPLIED = {"conv", "depthwise conv", "transposed conv", "linear"}


@dataclass(frozen=True)
class Analysis:
    """Layers, and the outputs of the network with and without rounding on the held-out samples."""

    layers: tuple[Layer, ...]
    floats: tuple[Array, ...]
    """Outputs in float, [N, …] each."""
    rounded: tuple[Array, ...]
    """Outputs of the quantized network, [N, …] each."""


def sensitivity(
    program: Program,
    recipe: Quantize,
    quantization: Callable[[Quantize], Quantization],
    samples: Sequence[Sample],
    checks: Sequence[Sample],
) -> tuple[Layer, ...]:
    """Quantization noise of each layer of the network, in execution order, under static quantization.

    samples: calibrate, and measure each layer alone. checks: held-out samples, which measure the network as a whole.
    Both of batch 1. Raises PassError without samples, for a recipe that is not static, and if activations are not
    finite.
    """
    return analyse(program, recipe, quantization, samples, checks).layers


def analyse(
    program: Program,
    recipe: Quantize,
    quantization: Callable[[Quantize], Quantization],
    samples: Sequence[Sample],
    checks: Sequence[Sample],
) -> Analysis:
    """Run the analysis of `sensitivity`, and return the outputs on `checks` too."""
    # Two threads on shared cores took ten times as long as one.
    with one_thread():
        return _analysed(calibrated_pair(program, recipe, quantization, samples), samples, checks)


def _analysed(pair: FakeQuantPair, samples: Sequence[Sample], checks: Sequence[Sample]) -> Analysis:
    tallies = {group.root: _Tally(group, pair) for group in pair.groups}
    with torch.no_grad():
        for batch in pair.batches(samples[:: -(-len(samples) // MEASURED)]):
            pair.run(batch, lambda group, floats, _: tallies[group.root].calibrated(floats), quantized=False)
        outputs = [
            pair.run(batch, lambda group, *values: tallies[group.root].checked(*values), quantized=True)
            for batch in pair.batches(checks)
        ]
        layers = tuple(tally.layer() for tally in tallies.values() if tally.measured or tally.weights_count)
    floats, rounded = (_columns([sides[side] for sides in outputs]) for side in (0, 1))
    return Analysis(layers, floats, rounded)


def _columns(rows: Sequence[Sequence[Tensor]]) -> tuple[Array, ...]:
    return tuple(np.concatenate([part.numpy() for part in column]) for column in zip(*rows, strict=True))


@dataclass
class _Tally:
    """Statistics of one layer, summed over batches."""

    group: LayerGroup
    pair: FakeQuantPair
    activation: Noise = field(default_factory=Noise)
    alone: Noise = field(default_factory=Noise)
    weights: Noise = field(default_factory=Noise)
    inputs: Noise = field(default_factory=Noise)
    cumulative: Noise = field(default_factory=Noise)
    clipped: Outside = field(default_factory=Outside)
    saturated: Outside = field(default_factory=Outside)
    extent: Extent | None = None
    macs: int = 0

    @property
    def measured(self) -> bool:
        """True once a floating-point output was seen: operators on indices and masks do not count as layers."""
        return self.extent is not None

    @property
    def weights_count(self) -> int:
        """Elements of its weights. An operator that has some is a layer, also one of several outputs, such as a GRU."""
        sources = {source for node in self.group.nodes for source in map(_constant, node.all_input_nodes) if source}
        shapes = [self.pair.constant(source).shape for source in sources]
        return sum(shape.numel() for shape in shapes if sum(size > 1 for size in shape) > 1)

    @property
    def _rounding(self) -> AffineRounding | None:
        rounding = self.pair.roundings.get(self.group.output) if self.group.output is not None else None
        # Not that of a reader which rounds its inputs by the range of each.
        return rounding if isinstance(rounding, AffineRounding) else None

    def calibrated(self, floats: Values) -> None:
        """Add a batch of calibration samples: noise of the layer alone, on exact inputs."""
        value = floats[self.group.last]
        if not _is_real(value):
            return
        if self.extent is None:
            self.extent = Extent(channel_axis(self.group.kind, value.shape))
            self.macs = self._macs(value)
        self.extent.add(value)
        if self._rounding:
            self.activation.add(value, self._rounding(value))
            self.clipped.add(value, *self._rounding.bounds)
        if self.group.kind == "input" or not self.group.quantized:
            return
        parts = [(self.alone, True, True, True), (self.inputs, True, False, False)]
        if self.group.weight is not None:
            parts.append((self.weights, False, True, False))
        for noise, *chosen in parts:
            noise.add(value, self.pair.alone(self.group, floats, *chosen))

    def checked(self, floats: Values, rounded: Values) -> None:
        """Add a batch of held-out samples: noise of the layer in a network that is quantized as a whole."""
        value, quantized = floats[self.group.last], rounded[self.group.last]
        if not _is_real(value):
            return
        if self._rounding:
            quantized = self._rounding(quantized)
            self.saturated.add(value, *self._rounding.bounds)
        self.cumulative.add(value, quantized)

    def layer(self) -> Layer:
        group, rounding, extent = self.group, self._rounding, self.extent
        bounds = rounding.ends if rounding else extent.bounds if extent else None
        weight, stored = self._weight()
        noise = Noise()
        if weight is not None and stored is not None:
            noise.add(weight, stored)
        return Layer(
            name=group.name,
            node=group.root.name,
            kind=group.kind,
            inputs=group.sources,
            quantized=group.quantized,
            reason=group.reason,
            macs=self.macs,
            weights=self.weights_count,
            weight_sqnr_db=noise.sqnr_db,
            weight_range_ratio=range_ratio(per_channel(weight, 0).abs().amax(1)) if weight is not None else None,
            activation_sqnr_db=self.activation.sqnr_db,
            activation_low=bounds[0] if bounds else None,
            activation_high=bounds[1] if bounds else None,
            shared_scale=group.shares_scale,
            activation_p999=extent.p999 if extent else None,
            activation_range_ratio=extent.ratio if extent else None,
            constant_share=extent.constant if extent else None,
            output_sqnr_db=self.alone.sqnr_db,
            by_weights_db=self.weights.sqnr_db,
            by_inputs_db=self.inputs.sqnr_db,
            cumulative_sqnr_db=self.cumulative.sqnr_db,
            clipped=self.clipped.share,
            saturated=self.saturated.share,
        )

    def _weight(self) -> tuple[Tensor | None, Tensor | None]:
        """Weights in float, and as they are stored: None if they stay in float; both None if the layer has none."""
        node: Node | None = self.group.weight
        if node is None:
            return None, None
        source = node.all_input_nodes[0] if is_observer(node) else node
        if source.op != "get_attr":  # computed, as by a parametrization
            return None, None
        value = self.pair.constant(source)
        return value, self.pair.round(node, value) if is_observer(node) else None

    def _macs(self, value: Tensor) -> int:
        weight = self._weight()[0]
        if weight is None or self.group.kind not in MULTIPLIED:
            return 0
        each = weight[0].numel()
        if self.group.kind == "transposed conv":
            each = weight.numel() // value.shape[1]
        return value[0].numel() * each


def _constant(node: Node) -> Node | None:
    """Constant that a node is, or rounds; None if it is none."""
    source = node.all_input_nodes[0] if is_observer(node) else node
    return source if source.op == "get_attr" else None


def _is_real(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.numel() > 0
