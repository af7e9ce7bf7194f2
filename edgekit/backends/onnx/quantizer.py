"""PT2E quantizer for Q/DQ graphs: it annotates what onnxruntime and TensorRT fuse into integer kernels only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e.quantizer import (
    DerivedQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
    SharedQuantizationSpec,
)
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY, EdgeOrNode, QuantizationSpecBase

from edgekit.passes.attention.scaled_dot_product import decompose_attention
from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.quantization.dynamic_rounding import PRODUCTS, annotate_dynamic, is_dynamic
from edgekit.passes.quantization.observers import activation_observer, weight_observer
from edgekit.passes.quantization.residual_stream import residual_stream
from edgekit.passes.quantization.shared_constants import BIAS, with_unshared_reads
from edgekit.passes.squeeze_excite import prepare_gates
from edgekit.passes.subpixel_convolution import CLAMPS, with_subpixel_convolutions
from edgekit.specs.compression import Activations, Quantize, Weights

aten = torch.ops.aten

IntegerType = Literal["int8", "uint8", "uint16"]
RANGES: dict[IntegerType, tuple[int, int]] = {"int8": (-128, 127), "uint8": (0, 255), "uint16": (0, 65535)}

CONVOLUTIONS = {aten.conv1d.default, aten.conv2d.default, aten.conv3d.default}
ADDITIONS = {aten.add.Tensor, aten.add_.Tensor}
# One activation, one constant weight, and maybe a bias.
WEIGHTED = {*CONVOLUTIONS, aten.linear.default}
# Two activations: QLinearAdd, QLinearMul, QLinearMatMul.
BINARY = {
    aten.add.Tensor,
    aten.add_.Tensor,
    aten.mul.Tensor,
    aten.mul_.Tensor,
    aten.matmul.default,
    aten.bmm.default,
}
POOLS = {
    aten.mean.dim,
    aten.avg_pool1d.default,
    aten.avg_pool2d.default,
    aten.adaptive_avg_pool1d.default,
    aten.adaptive_avg_pool2d.default,
}
# Values pass through unchanged, so the output keeps the scale and zero point of the input.
MOVES = {
    aten.slice.Tensor,
    aten.pad.default,
    aten.constant_pad_nd.default,
    aten.flatten.using_ints,
    aten.reshape.default,
    aten.view.default,
    aten.permute.default,
    aten.transpose.int,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.max_pool1d.default,
    aten.max_pool2d.default,
    aten.upsample_nearest2d.vec,
    aten.dropout.default,
    aten.dropout_.default,
    aten.contiguous.default,
    aten.clone.default,
}


class OnnxQuantizer(Quantizer):  # type: ignore[misc]  # torchao has no types
    """Quantizer for static int8 in Q/DQ form: Q/DQ before and after each fused group (Conv and ReLU), never inside."""

    def __init__(
        self, recipe: Quantize, activations: IntegerType, integer_bias: bool, integer_outputs: bool = False
    ) -> None:
        """Take a recipe, and the type of activations.

        integer_bias: biases are int32, for kernels that add them before they scale. integer_outputs: the last layer
        answers in integers too, for an NPU that takes no layer of which one end is float.
        """
        self._integer_outputs = integer_outputs
        self._activation = _activation_spec(recipe.activations, activations)
        self._integer_bias = integer_bias
        self._weight = _weight_spec(recipe.weights)
        self._recipe, self._skip = recipe, recipe.kept
        self._stream: frozenset[Node] = frozenset()
        self._dynamic: frozenset[Node] = frozenset()

    def transform_for_annotation(self, model: GraphModule) -> GraphModule:
        if self._recipe.dynamic:
            decompose_attention(model, lambda node: is_dynamic(node, self._recipe))
        prepared = prepare_gates(with_subpixel_convolutions(model, self._skip), self._skip)
        return pool_by_mean(with_unshared_reads(prepared, (BIAS,)))

    def annotate(self, model: GraphModule) -> GraphModule:
        """Annotate every node of `model` that is neither skipped nor in a residual stream, producers first."""
        self._stream = residual_stream(model.graph)
        self._dynamic = annotate_dynamic(model.graph, self._recipe, self._weight, by_row=False, products=True)
        for node in model.graph.nodes:
            if node.op == "call_function" and node not in self._dynamic and not self._is_float(node):
                self._annotate(node)
        self._spare_roundings(model)
        return model

    def _spare_roundings(self, model: GraphModule) -> None:
        """Leave out roundings of products that only dynamic layers read: these take the sums as they are."""
        spared: set[Node] = set()
        for node in reversed(model.graph.nodes):
            annotation = node.meta.get(Q_ANNOTATION_KEY)
            if annotation is None or not node.users or not all(user in self._dynamic | spared for user in node.users):
                continue
            if node.target in MOVES:
                del node.meta[Q_ANNOTATION_KEY]
                spared.add(node)
            elif node.target in PRODUCTS:
                annotation.output_qspec = None

    def validate(self, model: GraphModule) -> None:
        """Accept every model: operators without annotation stay in float."""

    def _is_float(self, node: Node) -> bool:
        return node in self._stream or is_skipped(node, self._skip)

    def _annotate(self, node: Node) -> None:
        inputs = [arg for arg in node.args if isinstance(arg, Node)]
        if node.target in WEIGHTED and inputs[1].op == "get_attr":
            self._annotate_weighted(node, *inputs)
        elif node.target in BINARY and len(inputs) == 2 and all(map(_is_activation, inputs)):
            rounded = [source for source in inputs if source is not self._fused(node)]
            _mark(node, dict.fromkeys(rounded, self._activation))
            self._close(node)
        elif node.target in POOLS and _is_activation(inputs[0]):
            _mark(node, {inputs[0]: self._activation}, self._activation)
        elif node.target is aten.cat.default:
            self._annotate_cat(node)
        elif node.target in MOVES and _is_quantized(inputs[0]):
            _mark(node, {inputs[0]: self._activation}, SharedQuantizationSpec((inputs[0], node)))

    def _annotate_weighted(self, node: Node, source: Node, weight: Node, bias: Node | None = None) -> None:
        specs: dict[Node, QuantizationSpecBase] = {source: self._activation, weight: self._weight}
        if bias is not None and self._integer_bias:
            specs[bias] = _bias_spec([(source, node), (weight, node)], self._weight)
        _mark(node, specs)
        self._close(node)

    def _annotate_cat(self, node: Node) -> None:
        parts = node.args[0]
        assert isinstance(parts, Sequence)
        inputs = [part for part in parts if isinstance(part, Node)]
        if all(map(_is_quantized, inputs)):
            _mark(node, dict.fromkeys(inputs, self._activation), self._activation)

    def _close(self, node: Node) -> None:
        """Annotate the output: after the ReLU that is fused into the kernel, or else right after the node."""
        users = list(node.users)
        if any(self._fused(user) is node for user in users):
            return
        last = node.target is aten.linear.default and all(user.op == "output" for user in users)
        if last and not self._integer_outputs:
            return  # QGemm can answer in float, which spares the logits a rounding
        clamped = len(users) == 1 and users[0].target in CLAMPS and not is_skipped(users[0], self._skip)
        # A linear of more than two axes becomes Reshape, Gemm, Reshape: the ReLU is out of the kernel's reach.
        if clamped and not (node.target is aten.linear.default and node.meta["val"].dim() > 2):
            _mark(users[0], {}, self._activation)
        else:
            node.meta[Q_ANNOTATION_KEY].output_qspec = self._activation

    def _fused(self, addition: Node) -> Node | None:
        """Convolution into which TensorRT fuses the addition: Q and DQ then belong on the other input only.

        "Quantize the residual input in skip-connections" (TensorRT, Q/DQ layer-placement recommendations).
        """
        if self._integer_bias or addition.target not in ADDITIONS or self._is_float(addition):
            return None
        sources = [arg for arg in addition.args if isinstance(arg, Node)]
        if len(sources) < 2 or not all(map(_is_activation, sources)):
            return None
        sums = [source for source in sources if source.target in CONVOLUTIONS and len(source.users) == 1]
        return next((source for source in reversed(sums) if not is_skipped(source, self._skip)), None)


def _mark(node: Node, inputs: dict[Node, QuantizationSpecBase], output: QuantizationSpecBase | None = None) -> None:
    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(inputs, output, _annotated=True)


def _is_activation(node: Node) -> bool:
    """True if the node computes float32 values: no constant, no index."""
    value = node.meta.get("val")
    return node.op != "get_attr" and isinstance(value, torch.Tensor) and value.dtype is torch.float32


def _is_quantized(node: Node) -> bool:
    annotation = node.meta.get(Q_ANNOTATION_KEY)
    return annotation is not None and annotation.output_qspec is not None


def _activation_spec(activations: Activations, dtype: IntegerType) -> QuantizationSpec:
    scheme = torch.per_tensor_symmetric if activations.symmetric else torch.per_tensor_affine
    low, high = RANGES[dtype]
    # The floor keeps bias / (input scale * weight scale) inside int32 where a tensor is all but zero.
    return QuantizationSpec(getattr(torch, dtype), activation_observer(activations, 2**-12), low, high, scheme)


def _weight_spec(weights: Weights) -> QuantizationSpec:
    # Never -128: Arm kernels without dotprod add two products in int16, where (-128 * -128) twice overflows.
    low, high, observer = -127, 127, weight_observer(weights, 2**-16)
    if weights.granularity == "per-tensor":
        scheme = torch.per_tensor_symmetric if weights.symmetric else torch.per_tensor_affine
        return QuantizationSpec(torch.int8, observer, low, high, scheme)
    scheme = torch.per_channel_symmetric if weights.symmetric else torch.per_channel_affine
    return QuantizationSpec(torch.int8, observer, low, high, scheme, ch_axis=0)


def _bias_spec(edges: list[EdgeOrNode], weight: QuantizationSpec) -> DerivedQuantizationSpec:
    """Specification of a bias: int32 at input scale times weight scale, that of the accumulator."""
    return DerivedQuantizationSpec(
        edges, _bias_scale, torch.int32, -(2**31), 2**31 - 1, weight.qscheme, ch_axis=weight.ch_axis
    )


def _bias_scale(observers: list[Any]) -> tuple[Tensor, Tensor]:
    source, weight = (observer.calculate_qparams()[0] for observer in observers)
    scale = source * weight
    return scale, torch.zeros_like(scale, dtype=torch.int32)


def pool_by_mean(model: GraphModule) -> GraphModule:
    """Write global average poolings (to 1x1) as means, in place.

    torch decomposes such a pooling with an `as_strided`: three nodes in the place of one.
    """
    for node in model.graph.nodes:
        if node.target is aten.adaptive_avg_pool2d.default and node.args[1] in ([1, 1], (1, 1)):
            node.target, node.args = aten.mean.dim, (node.args[0], [2, 3], True)
    model.recompile()
    return model
