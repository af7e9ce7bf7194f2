"""Layers of an exported program: its operators become torch.nn modules again, which pruning and fine-tuning know."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

CONVOLUTIONS: dict[bool, dict[int, Callable[..., nn.Module]]] = {
    False: {3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d},
    True: {3: nn.ConvTranspose1d, 4: nn.ConvTranspose2d, 5: nn.ConvTranspose3d},
}
"""Layers of convolutions, by whether they are transposed and by the number of axes of their weight."""
BATCH_NORMS: dict[int, Callable[..., nn.Module]] = {
    2: nn.BatchNorm1d,
    3: nn.BatchNorm1d,
    4: nn.BatchNorm2d,
    5: nn.BatchNorm3d,
}
"""Batch norms by the number of axes of their input."""
Arguments = dict[str, Any]


def with_layers(module: GraphModule) -> GraphModule:
    """Replace, in place, operators whose weights are the module's own by the layers of torch.nn that compute them.

    A layer stands where its weight stood: `block.conv` of `block.conv.weight`. One that shares its place with other
    tensors or with a layer of other settings stays an operator.
    """
    for node in list(module.graph.nodes):
        if node.op == "call_function" and str(node.target) in LAYERS:
            _replace(module, node)
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def _replace(module: GraphModule, node: Node) -> None:
    values = _arguments(node)
    nodes = {name: values[name] for name in TENSORS if values.get(name) is not None}
    weight = nodes.get("weight")
    if not all(isinstance(each, Node) and each.op == "get_attr" for each in nodes.values()) or weight is None:
        return
    name, _, last = str(weight.target).rpartition(".")
    tensors = {key: attrgetter(str(each.target))(module) for key, each in nodes.items()}
    if (
        last != "weight"
        or not name
        or not _free(module.get_submodule(name), {str(n.target) for n in nodes.values()}, name)
    ):
        return
    layer = LAYERS[str(node.target)](values, tensors)
    if layer is None:
        return
    before = module.get_submodule(name)
    if type(before) is not nn.Module and str(before) != str(layer):
        return
    _fill(layer, tensors, before)
    module.set_submodule(name, layer.train(False))
    with module.graph.inserting_before(node):
        call = module.graph.call_module(name, (values.get("input", values.get("indices")),))
    call.meta = dict(node.meta)
    node.replace_all_uses_with(call)
    module.graph.erase_node(node)


def _free(place: nn.Module, tensors: set[str], name: str) -> bool:
    """True if a layer may stand there: it has no children, and no tensor that the layer lacks but for a counter."""
    own = {f"{name}.{key}" for key, _ in [*place.named_parameters(), *place.named_buffers()]}
    return not list(place.children()) and own <= {*tensors, f"{name}.num_batches_tracked"}


def _arguments(node: Node) -> Arguments:
    """Arguments of a call by the names of the operator's schema, with its defaults."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    values = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    values.update({argument.name: value for argument, value in zip(schema, node.args, strict=False)})
    return {**values, **node.kwargs}


def _fill(layer: nn.Module, tensors: dict[str, Tensor], before: nn.Module) -> None:
    """Give the layer its tensors; a parameter that stands there already stays the same, for layers that share it."""
    for name, value in tensors.items():
        if name in layer._buffers:
            layer._buffers[name] = value.detach()
            continue
        known = before._parameters.get(name)
        layer._parameters[name] = (
            known if known is not None else nn.Parameter(value.detach(), value.is_floating_point())
        )
    for name, buffer in layer._buffers.items():
        if buffer is not None and buffer.is_meta:
            layer._buffers[name] = torch.zeros((), dtype=torch.long)


def _convolution(values: Arguments, tensors: dict[str, Tensor]) -> nn.Module | None:
    transposed = bool(values.get("transposed", "output_padding" in values))
    weight, groups, bias = tensors["weight"], values["groups"], "bias" in tensors
    axes = weight.dim() - 2
    if isinstance(values["padding"], str) or weight.dim() not in CONVOLUTIONS[transposed]:
        return None
    make = CONVOLUTIONS[transposed][weight.dim()]
    kernel = tuple(weight.shape[2:])
    stride, padding, dilation = (_each(values[name], axes) for name in ("stride", "padding", "dilation"))
    if transposed:
        added = _each(values["output_padding"], axes)
        channels = weight.shape[0], weight.shape[1] * groups
        return make(*channels, kernel, stride, padding, added, groups, bias, dilation, device="meta")
    channels = weight.shape[1] * groups, weight.shape[0]
    return make(*channels, kernel, stride, padding, dilation, groups, bias, device="meta")


def _each(value: Any, axes: int) -> tuple[int, ...]:
    numbers = [value] if isinstance(value, int) else list(value)
    return tuple(numbers * axes if len(numbers) == 1 else numbers)


def _linear(values: Arguments, tensors: dict[str, Tensor]) -> nn.Module | None:
    outputs, inputs = tensors["weight"].shape
    return nn.Linear(inputs, outputs, "bias" in tensors, device="meta")


def _batch_norm(values: Arguments, tensors: dict[str, Tensor]) -> nn.Module | None:
    input_value = values["input"].meta.get("val")
    if values["training"] or not {"bias", "running_mean", "running_var"} <= tensors.keys() or input_value is None:
        return None
    make = BATCH_NORMS.get(input_value.dim())
    momentum = {"momentum": values["momentum"]}
    return make(len(tensors["weight"]), values["eps"], **momentum, device="meta") if make else None


def _layer_norm(values: Arguments, tensors: dict[str, Tensor]) -> nn.Module | None:
    return nn.LayerNorm(list(values["normalized_shape"]), values["eps"], bias="bias" in tensors, device="meta")


def _embedding(values: Arguments, tensors: dict[str, Tensor]) -> nn.Module | None:
    count, width = tensors["weight"].shape
    return nn.Embedding(count, width, device="meta")


TENSORS = ("weight", "bias", "running_mean", "running_var")
LAYERS: dict[str, Callable[[Arguments, dict[str, Tensor]], nn.Module | None]] = {
    **{f"aten.conv{axes}d.default": _convolution for axes in (1, 2, 3)},
    "aten.conv_transpose1d.default": _convolution,
    "aten.conv_transpose2d.input": _convolution,
    "aten.conv_transpose3d.input": _convolution,
    "aten.convolution.default": _convolution,
    "aten.linear.default": _linear,
    "aten.batch_norm.default": _batch_norm,
    "aten.layer_norm.default": _layer_norm,
    "aten.embedding.default": _embedding,
}
"""Layer of each operator, made of its arguments without tensors; None where no layer of torch.nn computes it."""
