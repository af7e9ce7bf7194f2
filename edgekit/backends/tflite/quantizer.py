"""PT2E quantizer for LiteRT: it annotates the operators for which LiteRT and XNNPACK have int8 kernels.

LiteRT's own annotator recognizes operators by source functions, which only a strict export records. On edgekit's
programs it leaves additions and means in float, and quantizes the constants of the preprocessing.
"""

from __future__ import annotations

import math

import torch
from torch import fx
from torchao.quantization.pt2e.quantizer import (
    FixedQParamsQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    QuantizationSpecBase,
    Quantizer,
    SharedQuantizationSpec,
)
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from edgekit.backends.tflite.channels_last import average_channels_last
from edgekit.backends.tflite.decompose import decompose
from edgekit.backends.tflite.delegable_forms import UPSAMPLING, with_forms
from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.quantization.dynamic_rounding import annotate_dynamic
from edgekit.passes.quantization.observers import activation_observer, weight_observer
from edgekit.passes.quantization.residual_stream import residual_stream
from edgekit.passes.recurrent_unrolling import annotate_recurrent, is_recurrent, with_unrolled_recurrence
from edgekit.passes.squeeze_excite import ZERO_BELOW, prepare_gates
from edgekit.passes.subpixel_convolution import with_subpixel_convolutions
from edgekit.specs.compression import Activations, Quantize, Weights

aten = torch.ops.aten
# Transposed convolutions, which the converter leaves in float even between quantized tensors, are rewritten.
# Nor matrix products of two activations, softmax or layer norm: XNNPACK runs those in float only.
WEIGHTED = {aten.conv1d.default, aten.conv2d.default, aten.linear.default}
ARITHMETIC = {aten.add.Tensor, aten.add_.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.mul_.Tensor}
RESCALING = {aten.mean.dim, aten.relu.default, aten.relu_.default, aten.leaky_relu.default}
"""Operators of one input, whose output has its own scale."""
MOVING = {
    aten.adaptive_avg_pool2d.default,
    aten.avg_pool2d.default,
    aten.clone.default,
    aten.constant_pad_nd.default,
    aten.dropout.default,
    aten.dropout_.default,
    aten.flatten.using_ints,
    aten.max_pool2d.default,
    aten.pad.default,
    aten.permute.default,
    aten.reshape.default,
    aten.slice.Tensor,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.transpose.int,
    aten.unsqueeze.default,
    aten.upsample_bilinear2d.vec,
    aten.upsample_nearest2d.vec,
    aten.view.default,
}
"""Operators of one input, whose output must have the same scale."""
FIXED = {aten.sigmoid.default: (1 / 256, -128), aten.tanh.default: (1 / 128, 0)}
"""Operators of one input, with the scale and zero point that the kernel demands of the output."""
RELUS = {aten.relu.default, aten.relu_.default, aten.relu6.default, aten.relu6_.default}
CLAMPS = {aten.hardtanh.default, aten.hardtanh_.default, aten.clamp.default}
FUSED_BOUNDS = [(0, 6), (-1, 1), (0,), (0, None), (0, 1), (ZERO_BELOW, math.inf)]
"""Bounds of clamps that LiteRT fuses into the operator before them; the last two are enforced by saturation."""


class LiteRTQuantizer(Quantizer):  # type: ignore[misc]  # torchao has no types
    """Quantizer that annotates operators with an int8 kernel, but for skipped modules and residual streams."""

    def __init__(self, recipe: Quantize) -> None:
        super().__init__()
        self.recipe, self.skip = recipe, recipe.kept
        self.activation = activation_spec(recipe.activations)
        self.weight = weight_spec(recipe.weights)

    def transform_for_annotation(self, model: fx.GraphModule) -> fx.GraphModule:
        upsampled = with_forms(model, UPSAMPLING)
        prepared = prepare_gates(with_subpixel_convolutions(upsampled, self.skip), self.skip)
        return average_channels_last(decompose(with_unrolled_recurrence(prepared, self.skip), self.skip))

    def annotate(self, model: fx.GraphModule) -> fx.GraphModule:
        # litert-converter 0.5.0 joins integers of several scales as if they were of one, where the result is float.
        apart = residual_stream(model.graph, joined_answers=False)
        apart |= annotate_dynamic(model.graph, self.recipe, self.weight)
        for node in model.graph.nodes:
            if node.op == "call_function" and node not in apart and not is_skipped(node, self.skip):
                self._annotate(node)
        return model

    def validate(self, model: fx.GraphModule) -> None:
        """Accept every model: operators without annotation stay in float, as the placement shows."""

    def _annotate(self, node: fx.Node) -> None:
        # A free length is a value of the graph too, and no tensor.
        inputs = [source for source in node.all_input_nodes if not isinstance(source.meta.get("val"), torch.SymInt)]
        if not inputs or _output(node):  # a constant, or fused into the operator before it
            return
        if is_recurrent(node):
            annotate_recurrent(node, self.activation, self.weight)
        elif node.target in WEIGHTED and inputs[1].op == "get_attr":
            _set(node, {inputs[0]: self._input_spec(inputs[0]), inputs[1]: self.weight})
            self._close(node)
        elif any(map(_output, inputs)):  # so the preprocessing, and what follows a skipped module, stays in float
            self._follow(node, inputs)

    def _follow(self, node: fx.Node, inputs: list[fx.Node]) -> None:
        specs = {source: self._input_spec(source) for source in inputs}
        if node.target in ARITHMETIC and not node.kwargs and all(isinstance(x, fx.Node) for x in node.args):
            _set(node, specs)
            self._close(node)
        elif node.target is aten.cat.default:
            shared = SharedQuantizationSpec((inputs[0], node))
            _set(node, {source: specs[source] if source is inputs[0] else shared for source in inputs}, shared)
        elif node.target in MOVING:
            _set(node, specs, SharedQuantizationSpec((inputs[0], node)))
        elif node.target in FIXED:
            _set(node, specs, fixed_spec(*FIXED[node.target]))
        elif node.target in RESCALING:
            _set(node, specs, self.activation)

    def _input_spec(self, source: fx.Node) -> QuantizationSpecBase:
        """Specification of an operator's input: observed, or shared if the kernel before it fixes the scale."""
        fixed = isinstance(_output(source), FixedQParamsQuantizationSpec)
        return SharedQuantizationSpec(source) if fixed else self.activation

    def _close(self, node: fx.Node) -> None:
        """Annotate the output of `node`, after the activation function that is fused into it, if there is one."""
        users = tuple(node.users)
        fused = len(users) == 1 and _is_activation(users[0]) and not is_skipped(users[0], self.skip)
        _set(users[0] if fused else node, None, self.activation)


def activation_spec(activations: Activations) -> QuantizationSpec:
    """Specification of activations: int8, per-tensor; symmetric means a zero point of 0."""
    scheme = torch.per_tensor_symmetric if activations.symmetric else torch.per_tensor_affine
    return QuantizationSpec(torch.int8, activation_observer(activations, 2**-12), -128, 127, scheme)


def weight_spec(weights: Weights) -> QuantizationSpec:
    """Specification of weights: int8 with zero point 0, as LiteRT's quantization specification demands."""
    # A channel that is all zeros needs a scale with which its bias still fits 32 bits.
    observer = weight_observer(weights, 2**-16)
    if weights.granularity == "per-channel":
        return QuantizationSpec(torch.int8, observer, -127, 127, torch.per_channel_symmetric, 0)
    return QuantizationSpec(torch.int8, observer, -127, 127, torch.per_tensor_symmetric)


def fixed_spec(scale: float, zero_point: int) -> FixedQParamsQuantizationSpec:
    return FixedQParamsQuantizationSpec(torch.int8, scale, zero_point, -128, 127, torch.per_tensor_affine)


def _is_activation(node: fx.Node) -> bool:
    return node.target in RELUS or (node.target in CLAMPS and node.args[1:] in FUSED_BOUNDS)


def _set(
    node: fx.Node, inputs: dict[fx.Node, QuantizationSpecBase | None] | None, output: QuantizationSpecBase | None = None
) -> None:
    present = node.meta.get(Q_ANNOTATION_KEY) or QuantizationAnnotation()
    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
        inputs if inputs is not None else present.input_qspec_map,
        output or present.output_qspec,
        _annotated=True,
    )


def _output(node: fx.Node) -> QuantizationSpecBase | None:
    annotation = node.meta.get(Q_ANNOTATION_KEY)
    return annotation.output_qspec if annotation else None
