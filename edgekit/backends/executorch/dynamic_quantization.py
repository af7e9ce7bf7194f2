"""Dynamic quantization for XNNPACK: float activations, int8 or int4 weights.

XNNPACK rounds each activation to int8 at run time, with one scale a row. It has no kernel in which the activation stays
in float.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import PlaceholderObserver
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from edgekit.backends.executorch.quantizer import EPS, weight_spec
from edgekit.errors import LoweringError
from edgekit.frontend.dynamic_shapes import exported_like
from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.quantization.group_scales import grouped_weight
from edgekit.passes.quantization.weighted_layers import value
from edgekit.passes.recurrent_unrolling import with_unrolled_recurrence
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.export import ExportedProgram

aten = torch.ops.aten
CONVOLUTIONS = (aten.conv2d.default, aten.conv2d.padding)
DILATION, GROUPS = 5, 6
"""Indices of the dilation and of the number of groups among the arguments of both."""
CHANNELS_LAST = {
    aten.conv2d.default,
    aten.conv2d.padding,
    aten.conv_transpose2d.input,
    aten.max_pool2d.default,
    aten.avg_pool2d.default,
    aten.adaptive_avg_pool2d.default,
    aten.upsample_bilinear2d.vec,
    aten.prelu.default,
}
"""Operators that XNNPACK computes channels last, for inputs of any layout."""
RESHAPES = {
    aten.view.default,
    aten.reshape.default,
    aten.flatten.using_ints,
    aten.unflatten.int,
    aten.permute.default,
    aten.transpose.int,
    aten.squeeze.dim,
    aten.unsqueeze.default,
    aten.stack.default,
    aten.group_norm.default,
    aten.layer_norm.default,
    aten.linear.default,
    aten.matmul.default,
}
"""Operators whose result is channels first, for inputs of any layout."""


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
        for node in model.graph.nodes:
            if _has_kernel(node, model) and not is_skipped(node, self._skip):
                source, weight = node.args[:2]
                node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
                    {source: self._activation, weight: self._weight}, None, _annotated=True
                )
        return model

    def validate(self, model: GraphModule) -> None:
        """Accept every model: operators without annotation stay in float, as the placement shows."""


def _has_kernel(node: Node, model: GraphModule) -> bool:
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
    return _is_padded_evenly(node, kernel) and _is_channels_last(node.args[0])


def _is_padded_evenly(node: Node, kernel: Sequence[int]) -> bool:
    """True unless the convolution pads one side more: that is an operator between it and its rounded input."""
    if node.target is not aten.conv2d.padding or "same" not in node.args:
        return True
    dilation = node.args[DILATION] if len(node.args) > DILATION else [1]
    assert isinstance(dilation, list)
    return all(step * (size - 1) % 2 == 0 for step, size in zip(itertools.cycle(dilation), kernel, strict=False))


def _is_channels_last(source: Any) -> bool:
    """True if XNNPACK has the value channels last, or if it is an input, which XNNPACK can transpose.

    Any other value it transposes too late: it follows the value back to its origin, and transposes all between.
    """
    pending, seen = [source], {source}
    while pending:
        node = pending.pop()
        if node.target in CHANNELS_LAST:
            return True
        inputs = node.all_input_nodes if node.target not in RESHAPES else ()
        pending.extend(new for new in inputs if new not in seen)
        seen.update(inputs)
    return bool(source.op == "placeholder")


def with_int4_weights(exported: ExportedProgram, recipe: Quantize) -> ExportedProgram:
    """Quantize the weights of linear layers to int4, with a scale for each group of inputs or each channel.

    A layer whose inputs are no multiple of the group gets int8 weights with a scale for each channel; every convolution
    stays in float. Activations are rounded as by torchao's Int8DynamicActivationIntxWeightConfig. Raises LoweringError
    if there is no layer to change to int4.
    """
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig, quantize_
    from torchao.quantization.granularity import PerAxis

    grouped = recipe.weights.granularity == "per-group"
    group = recipe.weights.group if grouped else 1
    model: Any = exported.module()
    inputs = _as_modules(model, recipe.kept)
    if all(count % group for count in inputs.values()):
        raise LoweringError(
            f"there is no linear layer whose inputs come in groups of {group}",
            hint="quantize.weights.group = 32, or --profile dynamic-int8",
        )
    remainders = {name for name, count in inputs.items() if count % group}
    quantize_(
        model,
        Int8DynamicActivationIntxWeightConfig(torch.int8, weight_granularity=PerAxis(0)),
        filter_fn=lambda _, name: name in remainders,
    )
    for name in inputs.keys() - remainders:
        layer = model.get_submodule(name)
        layer.weight = nn.Parameter(_int4(layer.weight, group if grouped else inputs[name]), requires_grad=False)
    # Positional arguments, as the program was captured with.
    return exported_like(model, exported, exported.example_inputs[0])


def _int4(weight: torch.Tensor, group: int) -> torch.Tensor:
    """Weight in the form that torchao exports with activations rounded by row."""
    from torchao.quantization.quantize_.workflows import IntxUnpackedToInt8Tensor

    rounded = grouped_weight(weight, group)
    tensor: torch.Tensor = IntxUnpackedToInt8Tensor(
        qdata=rounded.integers,
        scale=rounded.scales,
        zero_point=torch.zeros_like(rounded.scales, dtype=torch.int8),
        target_dtype=torch.int4,  # type: ignore[attr-defined]
        block_size=(1, group),
        dtype=torch.float32,
        activation_quantization="int8_asym_per_token",
    )
    return tensor


def _as_modules(model: GraphModule, kept: Sequence[str]) -> dict[str, int]:
    """Turn each linear layer to quantize into a module, in place, for torchao changes modules.

    Returns the number of inputs of each by its name.
    """
    inputs: dict[str, int] = {}
    for node in list(model.graph.nodes):
        if node.target is not aten.linear.default or not _has_kernel(node, model) or is_skipped(node, kept):
            continue
        weight, *bias = (model.get_parameter(str(arg.target)) for arg in node.args[1:] if isinstance(arg, Node))
        name = f"linear_{len(inputs)}"
        model.add_submodule(name, _linear(weight, *bias))
        with model.graph.inserting_before(node):
            call = model.graph.call_module(name, (node.args[0],))
        call.meta = dict(node.meta)
        node.replace_all_uses_with(call)
        model.graph.erase_node(node)
        inputs[name] = weight.shape[1]
    model.recompile()
    return inputs


def _linear(weight: torch.Tensor, bias: torch.Tensor | None = None) -> nn.Linear:
    # On meta, and with the program's own tensors: torchao makes new ones, and a copy would hold all weights again.
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.detach(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return layer
