"""GroupNorm, and InstanceNorm without running statistics, as LayerNorm of the rows that their groups are."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from edgekit.backends.executorch.forms.averages import averaging, centered
from edgekit.backends.executorch.forms.form import Form, Rule, arguments, is_float, static_shape
from edgekit.backends.executorch.forms.layer_norm import scaled
from edgekit.frontend.computed_weights import tensor

aten = torch.ops.aten


def group_norm(x: Tensor, weights: Tensor, eps: float, groups: int, gain: Tensor | None, bias: Tensor | None) -> Tensor:
    """GroupNorm (Wu and He 2018) of `x` [N, C, …]; gain and bias: [C, 1 …]."""
    rows = scaled(centered(x.reshape(x.shape[0], groups, -1), weights), weights, eps)
    normalized = rows.reshape(x.shape)
    normalized = normalized if gain is None else normalized * gain
    return normalized if bias is None else normalized + bias


def _group_norm(module: GraphModule, node: Node) -> Form | None:
    values = arguments(node)
    return _form(module, values["input"], values["num_groups"], values)


def _instance_norm(module: GraphModule, node: Node) -> Form | None:
    values = arguments(node)
    shape = static_shape(values["input"])
    if shape is None or values["running_mean"] is not None:
        return None
    return _form(module, values["input"], shape[1], values)


def _form(module: GraphModule, x: Node, groups: int, values: dict[str, object]) -> Form | None:
    shape, affine = static_shape(x), (values["weight"], values["bias"])
    if shape is None or not is_float(x):
        return None
    if any(value is not None and not (isinstance(value, Node) and value.op == "get_attr") for value in affine):
        return None
    rank = len(shape)
    gain, bias = (
        tensor(module, value).reshape(-1, *[1] * (rank - 2)) if isinstance(value, Node) else None for value in affine
    )
    return Form(group_norm, (x, averaging(math.prod(shape[1:]) // groups), values["eps"], groups, gain, bias))


RULES: dict[object, Rule] = {aten.group_norm.default: _group_norm, aten.instance_norm.default: _instance_norm}
