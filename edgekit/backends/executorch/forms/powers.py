"""Powers and vector norms of products and square roots: XNNPACK squares by the exponent 2, written as an integer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from edgekit.backends.executorch.forms.averages import reduced
from edgekit.backends.executorch.forms.form import Form, Rule, arguments, is_float, static_shape

aten = torch.ops.aten


def square(x: Tensor) -> Tensor:
    """Square of `x`."""
    return x * x


def euclidean_norm(x: Tensor, ones: Tensor, axes: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Root of the sum of squares over neighbouring `axes`, as a tensor of `shape`."""
    return torch.sqrt(reduced(x * x, ones, axes, shape))


POWERS: dict[float, Callable[[Tensor], Tensor]] = {2: square, 0.5: torch.sqrt, -0.5: torch.rsqrt}
"""Function of each exponent that XNNPACK computes."""


def _power(module: GraphModule, node: Node) -> Form | None:
    x, exponent = node.args[:2]
    compute = POWERS.get(exponent) if isinstance(exponent, int | float) else None
    return Form(compute, (x,)) if compute and isinstance(x, Node) and is_float(x) else None


def _vector_norm(module: GraphModule, node: Node) -> Form | None:
    values = arguments(node)
    x, shape, result = values["self"], static_shape(values["self"]), static_shape(node)
    if shape is None or result is None or not is_float(x) or values["ord"] != 2 or values["dtype"] is not None:
        return None
    axes = sorted(axis % len(shape) for axis in values["dim"] or range(len(shape)))
    if axes != list(range(axes[0], axes[-1] + 1)):
        return None
    ones = torch.ones(1, math.prod(shape[axis] for axis in axes))
    return Form(euclidean_norm, (x, ones, axes, result))


RULES: dict[object, Rule] = {aten.pow.Tensor_Scalar: _power, aten.linalg_vector_norm.default: _vector_norm}
