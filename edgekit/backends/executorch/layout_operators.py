"""Operators that only move elements, as slices of step 1, reshapes and concatenations, which XNNPACK delegates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from executorch.exir.dialects._ops import ops
from executorch.exir.pass_base import ExportPass, NodeMetadata, ProxyValue

SLICE = ops.edge.aten.slice_copy.Tensor
VIEW = ops.edge.aten.view_copy.default
SELECT = ops.edge.aten.select_copy.int
SPLITS = (ops.edge.aten.split_with_sizes_copy.default, ops.edge.aten.split_copy.Tensor)
UNBIND = ops.edge.aten.unbind_copy.int
SINGLETONS = (
    ops.edge.aten.squeeze_copy.default,
    ops.edge.aten.squeeze_copy.dim,
    ops.edge.aten.squeeze_copy.dims,
    ops.edge.aten.unsqueeze_copy.default,
)
"""Operators that add or remove axes of length 1. XNNPACK's unsqueeze is for the last axis; it has no squeeze."""
MOST_AXES = 6
"""Most axes of a tensor of XNNPACK's."""

Emit = Callable[..., ProxyValue]


class DelegableLayouts(ExportPass):  # type: ignore[misc]  # executorch has no types
    """Pass that rewrites select, split, unbind, squeeze, unsqueeze and slices with a step.

    Tensors of integers and those with a free length stay as they are: no delegate takes what they go to.
    """

    def call_operator(self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any], meta: NodeMetadata) -> Any:
        def emit(operator: Any, *arguments: Any) -> ProxyValue:
            return super(DelegableLayouts, self).call_operator(operator, arguments, {}, meta)

        shape = _static_shape(args[0]) if args and isinstance(args[0], ProxyValue) else None
        if shape is None:
            return super().call_operator(op, args, kwargs, meta)
        if op == SELECT:
            return _selected(emit, args[0], shape, args[1], args[2])
        if op in SPLITS:
            return _parts(emit, args[0], shape, args[1], args[2] if len(args) > 2 else 0)
        if op == UNBIND:
            axis = args[1] if len(args) > 1 else 0
            return [_selected(emit, args[0], shape, axis, index) for index in range(shape[axis])]
        result = super().call_operator(op, args, kwargs, meta)
        if op in SINGLETONS:
            return emit(VIEW, args[0], list(result.to_tensor().shape))
        if op == SLICE and len(args) > 4 and args[4] != 1:
            entries = _strided(emit, args, shape, result.to_tensor().shape)
            return result if entries is None else entries
        return result

    def call_getitem(self, value: Any, key: int, meta: NodeMetadata) -> Any:
        return value[key] if isinstance(value, list) else super().call_getitem(value, key, meta)


def _static_shape(value: ProxyValue) -> tuple[int, ...] | None:
    """Shape of a tensor of floats; None if it has a free length, no elements, or integers."""
    tensor = value.data
    if not isinstance(tensor, torch.Tensor) or not tensor.dtype.is_floating_point:
        return None
    known = all(isinstance(length, int) for length in tensor.shape) and math.prod(tensor.shape) > 0
    return tuple(tensor.shape) if known else None


def _selected(emit: Emit, x: ProxyValue, shape: Sequence[int], axis: int, index: int) -> ProxyValue:
    """Entry `index` along `axis`, without that axis."""
    axis, index = axis % len(shape), index % shape[axis]
    entry = x if shape[axis] == 1 else emit(SLICE, x, axis, index, index + 1)
    return emit(VIEW, entry, [*shape[:axis], *shape[axis + 1 :]])


def _parts(
    emit: Emit, x: ProxyValue, shape: Sequence[int], lengths: int | Sequence[int], axis: int
) -> list[ProxyValue]:
    """Consecutive parts along `axis`; lengths: of each, or of all but the last."""
    whole = shape[axis]
    if isinstance(lengths, int):
        lengths = [min(lengths, whole - start) for start in range(0, whole, lengths)]
    starts = [sum(lengths[:count]) for count in range(len(lengths))]
    return [emit(SLICE, x, axis, start, start + length) for start, length in zip(starts, lengths, strict=True)]


def _strided(emit: Emit, args: tuple[Any, ...], shape: Sequence[int], result: Sequence[int]) -> ProxyValue | None:
    """Every step-th entry along an axis: one of each block of `step`; None where no blocks cover the entries.

    args: those of the slice, with its step.
    """
    x, axis, start, _, step = args
    axis %= len(shape)
    first = min(max(start + shape[axis] if start < 0 else start, 0), shape[axis]) if start else 0
    count = result[axis]
    phase = max(0, first + count * step - shape[axis])
    if phase >= step or phase > first or len(shape) >= MOST_AXES or not count:
        return None
    before, after = list(shape[:axis]), list(shape[axis + 1 :])
    begin, end = first - phase, first - phase + count * step
    run = x if end - begin == shape[axis] else emit(SLICE, x, axis, begin, end)
    blocks = emit(VIEW, run, [*before, count, step, *after])
    return emit(VIEW, emit(SLICE, blocks, axis + 1, phase, phase + 1), [*before, count, *after])
