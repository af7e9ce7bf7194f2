"""Dynamic quantization for XNNPACK: float activations, int8 weights.

XNNPACK rounds each activation to int8 at run time, with one scale a row. It has no kernel in which the activation stays
in float.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import PlaceholderObserver
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from edgekit.backends.executorch.channels_last import delegates_of, is_channels_last
from edgekit.backends.executorch.quantizer import EPS, weight_spec
from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.quantization.weighted_layers import value
from edgekit.passes.recurrent_unrolling import with_unrolled_recurrence
from edgekit.specs.compression import Quantize

aten = torch.ops.aten
CONVOLUTIONS = (aten.conv2d.default, aten.conv2d.padding)
DILATION, GROUPS = 5, 6
"""Indices of the dilation and of the number of groups among the arguments of both."""


class DynamicQuantizer(Quantizer):  # type: ignore[misc]  # torchao has no types
    """Quantizer that annotates linear layers and 2-d convolutions without groups, of two input channels or more.

    XNNPACK has no dynamic kernel for others. Executorch 1.5.1 takes every convolution of one input channel a group for
    a depthwise one, also that of one group, as a network on grey pictures begins with.

    XNNPACK's own annotator leaves out every convolution that a ReLU follows, half of resnet20's multiply-accumulates.
    It annotates those whose input is not channels last yet, as behind the preprocessing: such a file loads, and fails
    when run ("Propagating input shapes failed").
    """

    def __init__(self, recipe: Quantize) -> None:
        super().__init__()
        self._skip = recipe.kept
        self._weight = weight_spec(recipe.weights)
        self._activation = QuantizationSpec(
            dtype=torch.int8,
            quant_min=-128,
            quant_max=127,
            qscheme=torch.per_tensor_affine,
            is_dynamic=True,
            observer_or_fake_quant_ctr=PlaceholderObserver.with_args(eps=EPS),
        )

    def transform_for_annotation(self, model: GraphModule) -> GraphModule:
        return with_unrolled_recurrence(model, self._skip)

    def annotate(self, model: GraphModule) -> GraphModule:
        delegates = delegates_of(model)
        for node in model.graph.nodes:
            if _has_kernel(node, model, delegates) and not is_skipped(node, self._skip):
                source, weight = node.args[:2]
                node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
                    {source: self._activation, weight: self._weight}, None, _annotated=True
                )
        return model

    def validate(self, model: GraphModule) -> None:
        """Accept every model: operators without annotation stay in float, as the placement shows."""


def _has_kernel(node: Node, model: GraphModule, delegates: dict[Node, int]) -> bool:
    if node.op != "call_function" or node.target not in (aten.linear.default, *CONVOLUTIONS):
        return False
    weight = node.args[1]
    if not isinstance(weight, Node) or weight.op != "get_attr":
        return False
    if node.target is aten.linear.default:
        return True
    channels, *kernel = value(model, weight).shape[1:]
    if channels == 1 or node.args[GROUPS:] not in ((), (1,)):
        return False
    return _is_padded_evenly(node, kernel) and is_channels_last(node, delegates)


def _is_padded_evenly(node: Node, kernel: Sequence[int]) -> bool:
    """True unless the convolution pads one side more: that is an operator between it and its rounded input."""
    if node.target is not aten.conv2d.padding or "same" not in node.args:
        return True
    dilation = node.args[DILATION] if len(node.args) > DILATION else [1]
    assert isinstance(dilation, list)
    return all(step * (size - 1) % 2 == 0 for step, size in zip(itertools.cycle(dilation), kernel, strict=False))
