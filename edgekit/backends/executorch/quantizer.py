"""XNNPACK's PT2E quantizer, with the observers and granularity of a recipe, and with hard-swish on integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.quantization.observers import activation_observer, weight_observer
from edgekit.specs.compression import Activations, Quantize, Weights

if TYPE_CHECKING:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer
    from torch.fx import GraphModule, Node
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

PIXELS = "edgekit.frontend.preprocess.Pixels"
"""Module whose arithmetic stays in float: gains of 0.017 in int8 would scale every pixel wrongly by up to 0.7 %."""

EPS = 2.0**-12
"""Smallest scale, that of XNNPACK's own quantizer: it keeps requantization scales in XNNPACK's range."""


def quantizer(recipe: Quantize) -> XNNPACKQuantizer:
    """Quantizer that annotates what XNNPACK fuses, except preprocessing, residual streams and `recipe.kept`."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationConfig
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    from edgekit.backends.executorch.integer_scalars import with_integer_scalars
    from edgekit.passes.quantization.dynamic_rounding import annotate_dynamic, is_dynamic_layer
    from edgekit.passes.quantization.residual_stream import residual_stream
    from edgekit.passes.quantization.shared_constants import with_unshared_reads
    from edgekit.passes.recurrent_unrolling import annotate_recurrent, is_recurrent, with_unrolled_recurrence
    from edgekit.passes.scale_folding import is_layer
    from edgekit.passes.squeeze_excite import HARD_SWISHES, HARD_TANH, prepare_gates

    activations = _activations(recipe.activations)
    config = QuantizationConfig(activations, activations, weight_spec(recipe.weights), None)

    def chosen(node: Node) -> bool:
        # XNNPACK's quantizer takes convolutions in three dimensions, XNNPACK's partitioner does not.
        special = is_preprocessing(node) or _is_conv3d(node) or is_recurrent(node) or is_dynamic_layer(node, recipe)
        return not (special or is_skipped(node, recipe.kept))

    # set_module_name(x, None) raises in executorch 1.5.1; a filter is the way to leave modules out.
    class Quantizer(XNNPACKQuantizer):  # type: ignore[misc]  # executorch has no types
        """XNNPACK's quantizer that also annotates hard-swish, and clamps after layers.

        XNNPACK computes a function of 8-bit values by a table of 256 entries, and fuses clamps into layers. Where the
        program has no batch norm, none is searched for: tracing those patterns takes 1.8 s of CPU (executorch 1.5.1).
        """

        def transform_for_annotation(self, model: GraphModule) -> GraphModule:
            # XNNPACK's quantizer annotates what a layer reads, and skips a layer that reads an annotated node.
            prepared = prepare_gates(with_unshared_reads(model), recipe.kept)
            prepared = with_unrolled_recurrence(prepared, recipe.kept)
            return with_integer_scalars(super().transform_for_annotation, prepared)

        def annotate(self, model: GraphModule) -> GraphModule:
            # As the search for convolutions with batch norm leaves it.
            model.graph.eliminate_dead_code()
            model.recompile()
            if not any("batch_norm" in str(node.target) for node in model.graph.nodes):
                patterns = XNNPACKQuantizer.SUPPORTED_PATTERNS
                self.SUPPORTED_PATTERNS = [pattern for pattern in patterns if "_bn" not in pattern.name]
            annotated: GraphModule = super().annotate(model)
            for node in residual_stream(annotated.graph):
                node.meta.pop(Q_ANNOTATION_KEY, None)
            annotate_dynamic(annotated.graph, recipe, config.weight)
            cells = {node for node in annotated.graph.nodes if is_recurrent(node)}
            for node in annotated.graph.nodes:
                if node in cells:
                    annotate_recurrent(node, activations, config.weight)
                elif _shares_with(node, cells):
                    node.meta.pop(Q_ANNOTATION_KEY)
                    cells.add(node)
                elif node.target in HARD_SWISHES and chosen(node):
                    inputs = {node.args[0]: activations}
                    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(inputs, activations, _annotated=True)
                elif node.target is HARD_TANH and is_layer(node.args[0]) and _is_quantized(node.args[0]):
                    node.args[0].meta[Q_ANNOTATION_KEY].output_qspec = None
                    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation({}, activations, _annotated=True)
            return annotated

    return Quantizer().set_global(config).set_filter_function(chosen)


def _shares_with(node: Node, cells: set[Node]) -> bool:
    """True if XNNPACK's quantizer gave `node` the scale of one of `cells`, such as of joined steps that stay in float.

    Its filter does not hold for concatenations.
    """
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    shared = getattr(getattr(node.meta.get(Q_ANNOTATION_KEY), "output_qspec", None), "edge_or_node", None)
    return shared in cells


def is_preprocessing(node: Node) -> bool:
    """True if the node was traced in the preprocessing that the frontend adds to the network."""
    stack = node.meta.get("nn_module_stack") or {}
    return any(str(kind) == PIXELS for _, kind in stack.values())


def _is_conv3d(node: Node) -> bool:
    return str(node.target).startswith("aten.conv3d.")


def _is_quantized(layer: Node) -> bool:
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    annotation = layer.meta.get(Q_ANNOTATION_KEY)
    return len(layer.users) == 1 and annotation is not None and annotation.output_qspec is not None


def _activations(recipe: Activations) -> QuantizationSpec:
    import torch
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_symmetric if recipe.symmetric else torch.per_tensor_affine,
        observer_or_fake_quant_ctr=activation_observer(recipe, EPS),
    )


def weight_spec(recipe: Weights) -> QuantizationSpec:
    """Specification of weights: int8 with zero point 0, per-channel or per-tensor."""
    import torch
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    per_channel = recipe.granularity == "per-channel"
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric,
        ch_axis=0,
        observer_or_fake_quant_ctr=weight_observer(recipe, EPS),
    )
