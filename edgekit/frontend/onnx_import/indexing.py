"""Operators of ONNX that pick and put values by their places: slices, gathers, scatters."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgekit.frontend.onnx_import.layers import embedding
from edgekit.frontend.onnx_import.operator import FIXED, OnnxOperator, Step, makes
from edgekit.frontend.onnx_import.symbolic_sizes import size_values


@makes("Slice")
def _slice(op: OnnxOperator) -> Step:
    if any(op.value(i).sizes for i in (1, 2) if op.has(i)) or op.free_axes():
        return _free_slice(op)
    starts, ends = op.numbers(1, "starts") or [], op.numbers(2, "ends") or []
    axes = op.numbers(3, "axes") or list(range(len(starts)))
    steps = op.numbers(4, "steps") or [1] * len(starts)
    shape = op.example(0).shape
    cuts = []
    for start, end, number, step in zip(starts, ends, axes, steps, strict=True):
        axis = int(number) % len(shape)
        cuts.append((axis, range(shape[axis])[slice(int(start), _end(int(end), int(step)), int(step))]))

    def cut(x: Tensor) -> Tensor:
        for axis, places in cuts:
            if places.step > 0:
                index = (slice(None),) * axis + (slice(places.start, places.stop, places.step),)
                # A whole axis stays as it is, the batch of training with it.
                x = x if places == range(shape[axis]) else x[index]
            else:
                x = x.index_select(axis, torch.tensor(list(places), dtype=torch.long))
        return x

    return op.call(cut, 0)


def _free_slice(op: OnnxOperator) -> Step:
    """Step of a slice whose bounds, or axes, follow a free length."""
    first, starts = size_values(op, 1, "starts")
    last, ends = size_values(op, 2, "ends")
    count = len(op.numbers(3, "axes") or starts(*(value.example for value in first)))
    axes = [int(axis) % op.rank() for axis in op.numbers(3, "axes") or range(count)]
    steps = [int(step) for step in op.numbers(4, "steps") or [1] * count]
    if min(steps) < 1:
        raise op.refused("goes backwards along a free length", hint=FIXED)

    def cut(x: Tensor, *bounds: Any) -> Tensor:
        begins, ends_at = starts(*bounds[: len(first)]), ends(*bounds[len(first) :])
        index = [slice(None)] * x.dim()
        for axis, begin, end, step in zip(axes, begins, ends_at, steps, strict=True):
            index[axis] = slice(begin, None if isinstance(end, int) and end > 1 << 30 else end, step)
        return x[tuple(index)]

    return Step(cut, (op.value(0), *first, *last))


def _end(end: int, step: int) -> int | None:
    return None if step < 0 and end < -(1 << 30) else end


@makes("Gather")
def _gather(op: OnnxOperator) -> Step:
    axis = op.attribute("axis", 0) % op.rank()
    table = op.is_constant(0) and axis == 0 and op.rank() == 2 and op.example(0).is_floating_point()
    if table and not op.is_constant(1):
        return embedding(op)
    size = op.example(0).shape[axis]
    if op.is_constant(1):
        indices = op.example(1).long()
        if axis in op.free_axes() and bool((indices < 0).any()):
            return op.call(lambda x: _selected(x, torch.where(indices < 0, indices + x.shape[axis], indices), axis), 0)
        indices = indices % size
        if indices.dim() == 0:
            place = int(indices)
            return op.call(lambda x: x.select(axis, place), 0)
        return op.call(lambda x: _selected(x, indices, axis), 0)
    return op.call(
        lambda x, numbers: _selected(x, torch.where(numbers < 0, numbers + x.shape[axis], numbers), axis), 0, 1
    )


def _selected(x: Tensor, indices: Tensor, axis: int) -> Tensor:
    rows = x.index_select(axis, indices.reshape(-1))
    return rows if indices.dim() == 1 else rows.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


@makes("GatherElements", "GatherND", "ScatterElements", "ScatterND")
def _by_index(op: OnnxOperator) -> Step:
    axis = op.attribute("axis", 0)
    if op.attribute("batch_dims", 0) or (op.attribute("reduction") or b"none") not in (b"none", "none"):
        raise op.refused("gathers batch by batch, or adds up what it scatters")
    if op.kind == "GatherElements":
        return op.call(lambda x, index: torch.gather(x, axis, index), 0, 1)
    if op.kind == "ScatterElements":
        return op.call(lambda x, index, values: torch.scatter(x, axis, index, values), 0, 1, 2)
    if op.kind == "GatherND":
        return op.call(lambda x, index: x[tuple(index.unbind(-1))], 0, 1)
    return op.call(lambda x, index, values: torch.index_put(x, tuple(index.unbind(-1)), values), 0, 1, 2)


@makes("OneHot")
def _one_hot(op: OnnxOperator) -> Step:
    depth, axis = int((op.numbers(1) or [0])[0]), op.attribute("axis", -1)

    def encode(index: Tensor, values: Tensor) -> Tensor:
        classes = torch.arange(depth)
        hot = torch.where(index < 0, index + depth, index).unsqueeze(-1) == classes
        return torch.where(hot, values[1], values[0]).movedim(-1, axis)

    return op.call(encode, 0, 2)
