"""Sums and means as products with a row of equal weights: XNNPACK's own mean is over height and width only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.nn.functional import linear

from edgekit.backends.executorch.forms.form import Form, Rule, arguments, is_float, static_shape

aten = torch.ops.aten


def averaging(length: int) -> Tensor:
    """Weights [1, length] whose product with a vector is its mean."""
    return torch.full((1, length), 1 / length)


def centered(x: Tensor, weights: Tensor) -> Tensor:
    """Subtract the mean over the last axis, by weights of `averaging`.

    Done twice: the first mean is rounded to the values' own precision, which is the whole of a small spread around a
    large mean; the second is of small numbers.
    """
    once = x - linear(x, weights)
    return once - linear(once, weights)


def reduced(x: Tensor, weights: Tensor, axes: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Product of `weights` [1, n] with the n values of neighbouring `axes`, as a tensor of `shape`."""
    before, after = x.shape[: axes[0]], x.shape[axes[-1] + 1 :]
    if not after:
        return linear(x.reshape(*before, -1), weights).reshape(shape)
    columns = x.reshape(math.prod(before), weights.shape[1], math.prod(after)).transpose(1, 2)
    return linear(columns, weights).reshape(shape)


def _mean(module: GraphModule, node: Node) -> Form | None:
    return _reduction(node, mean=True)


def _sum(module: GraphModule, node: Node) -> Form | None:
    return _reduction(node, mean=False)


def _reduction(node: Node, mean: bool) -> Form | None:
    values = arguments(node)
    x, shape = values["self"], static_shape(values["self"])
    result = static_shape(node)
    if shape is None or result is None or not is_float(x) or values["dtype"] is not None:
        return None
    axes = sorted(axis % len(shape) for axis in values["dim"] or range(len(shape)))
    if axes != list(range(axes[0], axes[-1] + 1)) or (mean and len(shape) == 4 and axes == [2, 3]):
        return None
    length = math.prod(shape[axis] for axis in axes)
    return Form(reduced, (x, averaging(length) if mean else torch.ones(1, length), axes, result))


RULES: dict[object, Rule] = {aten.mean.dim: _mean, aten.sum.dim_IntList: _sum}
