"""Linear layers with int4 weights for XNNPACK, whose activations it rounds to int8 by the row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.fx import GraphModule, Node

from edgekit.errors import LoweringError
from edgekit.frontend.dynamic_shapes import exported_like
from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.quantization.group_scales import grouped_weight
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.export import ExportedProgram

aten = torch.ops.aten


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
        if node.target is not aten.linear.default or node.all_input_nodes[1].op != "get_attr" or is_skipped(node, kept):
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
