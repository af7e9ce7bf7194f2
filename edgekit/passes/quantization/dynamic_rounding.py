"""Dynamic quantization of single layers in a static program: inputs are rounded by the range that each has.

`[quantize.overrides]` names such layers, `"blocks.0.query" = "dynamic-int8"`: their weights are int8 with a scale for
each channel, as in dynamic quantization of a whole network, and their products are of integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchao.quantization.pt2e import PlaceholderObserver
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from edgekit.passes.module_patterns import OPERATOR, is_skipped

if TYPE_CHECKING:
    from torch.fx import Graph, GraphModule, Node

    from edgekit.specs.compression import Quantize

aten = torch.ops.aten
PRODUCTS: set[object] = {aten.bmm.default, aten.matmul.default}
"""Products of two activations."""
ATTENTION = f"{OPERATOR}scaled_dot_product_attention"
"""End of a pattern that names the attention of a module."""
LOW, HIGH = -128, 127
"""Smallest and largest integer of an input."""
EPS = 2.0**-24
"""Smallest scale: of a row of zeros."""


class DynamicObserver(PlaceholderObserver):  # type: ignore[misc]  # torchao has no types
    """Observer of the input of a dynamic layer, which finds no range before run time.

    by_row: true if the runtime has a range for each row of the last axis, false for one of the whole tensor.
    """

    def __init__(self, by_row: bool = True, **options: object) -> None:
        super().__init__(**{**options, "is_dynamic": True})
        self.by_row = by_row


class DynamicFakeQuantized(nn.Module):
    """Module that quantizes and dequantizes its input, float32 of any shape, by the range of each row or of all."""

    def __init__(self, observer: DynamicObserver) -> None:
        super().__init__()
        self.by_row = observer.by_row

    def forward(self, x: Tensor) -> Tensor:
        # Samples that are simulated together are rounded apart, as they come one at a time at run time.
        axes = [x.dim() - 1] if self.by_row or x.dim() < 2 else list(range(1, x.dim()))
        low, high = x.amin(axes, keepdim=True).clamp(max=0), x.amax(axes, keepdim=True).clamp(min=0)
        scale = ((high - low) / (HIGH - LOW)).clamp(min=EPS)
        zero_point = torch.round(LOW - low / scale)
        steps = torch.clamp(torch.round(x / scale) + zero_point, LOW, HIGH)
        rounded: Tensor = (steps - zero_point) * scale
        return rounded


def is_dynamic(node: Node, recipe: Quantize) -> bool:
    """True for an operator that the recipe wants to round its inputs at run time, in attention or a layer."""
    return bool(recipe.dynamic) and is_skipped(node, recipe.dynamic) and not is_skipped(node, recipe.kept)


def is_dynamic_layer(node: Node, recipe: Quantize) -> bool:
    """True for a linear layer with constant weights that the recipe wants to round its input at run time."""
    if node.op != "call_function" or node.target is not aten.linear.default:
        return False
    return getattr(node.args[1], "op", "") == "get_attr" and is_dynamic(node, recipe)


def is_dynamic_product(node: Node, recipe: Quantize) -> bool:
    """True for a product of two activations that the recipe wants to round both at run time, also one of attention that
    was one operator."""
    if node.op != "call_function" or node.target not in PRODUCTS or len(node.all_input_nodes) < 2:
        return False
    constants = any(source.op == "get_attr" for source in node.all_input_nodes)
    whole = [name.replace(ATTENTION, f"{OPERATOR}matmul") for name in recipe.dynamic if name.endswith(ATTENTION)]
    is_named = is_dynamic(node, recipe) or (is_skipped(node, whole) and not is_skipped(node, recipe.kept))
    return is_named and not constants


def annotate_dynamic(
    graph: Graph, recipe: Quantize, weight: QuantizationSpec, by_row: bool = True, products: bool = False
) -> frozenset[Node]:
    """Annotate the operators that the recipe wants dynamic, in place. Returns them.

    weight: specification of int8 weights. by_row: true if the runtime has a range for each row of an input. products:
    true if it has products of two activations that it rounds, too. The output of such an operator is float.
    """
    activation = QuantizationSpec(
        dtype=torch.int8,
        quant_min=LOW,
        quant_max=HIGH,
        qscheme=torch.per_tensor_affine,
        is_dynamic=True,
        observer_or_fake_quant_ctr=DynamicObserver.with_args(by_row=by_row, eps=EPS),
    )
    layers = [node for node in graph.nodes if is_dynamic_layer(node, recipe)]
    for node in layers:
        source, constant = node.args[:2]
        node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
            {source: activation, constant: weight}, None, _annotated=True
        )
    pairs = [node for node in graph.nodes if products and is_dynamic_product(node, recipe)]
    for node in pairs:
        inputs = dict.fromkeys(node.all_input_nodes, activation)
        node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(inputs, None, _annotated=True)
    return frozenset((*layers, *pairs))


def without_dynamic_roundings(module: GraphModule) -> None:
    """Let every layer read its input before it is rounded by a range of run time, in place.

    For converters that write the rounding themselves, as a part of the layer's operator.
    """
    for node in list(module.graph.nodes):
        if is_dynamic_rounding(node):
            (real, *_) = node.all_input_nodes[0].all_input_nodes
            node.replace_all_uses_with(real)
    module.graph.eliminate_dead_code()
    module.recompile()


def is_dynamic_rounding(node: Node) -> bool:
    """True for the dequantization of a converted program that ends a rounding by a range of run time."""
    if not str(node.target).startswith("quantized_decomposed.dequantize_per_tensor."):
        return False
    ranges = [source for scale in node.all_input_nodes[1:2] for source in scale.all_input_nodes]
    return any(str(source.target).startswith("quantized_decomposed.choose_qparams") for source in ranges)
