"""Cyclic rotation along axes (`torch.roll`) as two slices that change places; torch looks it up by indices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from edgekit.backends.executorch.forms.form import Form, Rule, arguments, is_float, static_shape


def rotated(x: Tensor, shifts: Sequence[int], axes: Sequence[int]) -> Tensor:
    """Rotate `x` by `shifts` along `axes`."""
    for shift, axis in zip(shifts, axes, strict=True):
        length = x.shape[axis]
        if start := -shift % length:
            x = torch.cat([x.narrow(axis, start, length - start), x.narrow(axis, 0, start)], axis)
    return x


def _roll(module: GraphModule, node: Node) -> Form | None:
    values = arguments(node)
    x, axes = values["self"], values["dims"]
    if not axes or static_shape(x) is None or not is_float(x):
        return None
    return Form(rotated, (x, values["shifts"], axes))


RULES: dict[object, Rule] = {torch.ops.aten.roll.default: _roll}
