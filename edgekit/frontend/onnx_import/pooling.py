"""Pooling and reductions of ONNX."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.frontend.onnx_import.operator import OnnxOperator, Step, axes_of, makes
from edgekit.frontend.onnx_import.padding import flat, sides

MAXIMA = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
Reduction = Callable[[Tensor, list[int], bool], Tensor]


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in reversed(axes):
        x = torch.prod(x, axis, keepdim=keep)
    return x


REDUCTIONS: dict[str, Reduction] = {
    "ReduceMean": lambda x, axes, keep: torch.mean(x, axes, keepdim=keep),
    "ReduceSum": lambda x, axes, keep: torch.sum(x, axes, keepdim=keep).to(x.dtype),
    "ReduceMax": lambda x, axes, keep: torch.amax(x, axes, keepdim=keep),
    "ReduceMin": lambda x, axes, keep: torch.amin(x, axes, keepdim=keep),
    "ReduceProd": _product,
    "ReduceL1": lambda x, axes, keep: torch.sum(torch.abs(x), axes, keepdim=keep),
    "ReduceL2": lambda x, axes, keep: torch.sqrt(torch.sum(x * x, axes, keepdim=keep)),
    "ReduceSumSquare": lambda x, axes, keep: torch.sum(x * x, axes, keepdim=keep),
    "ReduceLogSum": lambda x, axes, keep: torch.log(torch.sum(x, axes, keepdim=keep)),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, axes, keepdim=keep),
}


@makes(*REDUCTIONS)
def _reduction(op: OnnxOperator) -> Step:
    numbers, keep, reduce = op.numbers(1, "axes"), bool(op.attribute("keepdims", 1)), REDUCTIONS[op.kind]
    if not numbers and op.attribute("noop_with_empty_axes", 0):
        return op.call(lambda x: x, 0)
    axes = axes_of(numbers, op.rank()) if numbers else list(range(op.rank()))
    return op.call(lambda x: reduce(x, axes, keep), 0)


@makes("ArgMax", "ArgMin")
def _index_of_extreme(op: OnnxOperator) -> Step:
    axis, keep = op.attribute("axis", 0), bool(op.attribute("keepdims", 1))
    if op.attribute("select_last_index", 0):
        raise op.refused("takes the last of equal values")
    function = torch.argmax if op.kind == "ArgMax" else torch.argmin
    return op.call(lambda x: function(x, axis, keepdim=keep), 0)


@makes("TopK")
def _top(op: OnnxOperator) -> Step:
    numbers = op.numbers(1, "k")
    axis, largest = op.attribute("axis", -1), bool(op.attribute("largest", 1))
    count = int(numbers[0]) if numbers else 1
    return op.call(lambda x: tuple(torch.topk(x, count, axis, largest, True)), 0)


@makes("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(op: OnnxOperator) -> Step:
    axes = list(range(2, op.rank()))
    if op.kind == "GlobalMaxPool":
        return op.call(lambda x: torch.amax(x, axes, keepdim=True), 0)
    return op.call(lambda x: torch.mean(x, axes, keepdim=True), 0)


@makes("MaxPool", "AveragePool")
def _pool(op: OnnxOperator) -> Step:
    kernel = tuple(op.attribute("kernel_shape"))
    axes = len(kernel)
    stride, dilation = (tuple(op.attribute(name, [1] * axes)) for name in ("strides", "dilations"))
    before, after = sides(op, kernel, stride, dilation)
    ceil, counted = bool(op.attribute("ceil_mode", 0)), bool(op.attribute("count_include_pad", 0))
    if axes not in MAXIMA or any(op.outputs[1:]):
        raise op.refused("pools over more than 3 axes, or gives indices")
    whole = before == after and all(2 * pad <= width for pad, width in zip(before, kernel, strict=True))
    if op.kind == "MaxPool":
        function = MAXIMA[axes]
        if whole:
            return op.call(lambda x: function(x, kernel, stride, before, dilation, ceil), 0)
        sizes = flat(before, after)
        return op.call(lambda x: function(F.pad(x, sizes, value=-math.inf), kernel, stride, 0, dilation, ceil), 0)
    if any(step != 1 for step in dilation) or (not whole and (ceil or axes > 2)):
        raise op.refused("averages with dilation, or with sides that differ")
    return _average(op, kernel, stride, before, after, ceil, counted)


def _average(
    op: OnnxOperator,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    before: tuple[int, ...],
    after: tuple[int, ...],
    ceil: bool,
    counted: bool,
) -> Step:
    function: Callable[..., Tensor] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[len(kernel)]
    if before == after:
        return op.call(lambda x: function(x, kernel, stride, before, ceil, counted), 0)
    sizes = flat(before, after)
    if counted:
        return op.call(lambda x: function(F.pad(x, sizes), kernel, stride), 0)
    # The sum over the window, divided by the number of elements that are no padding.
    weight = 1 / function(F.pad(torch.ones_like(op.example(0)[:1, :1]), sizes), kernel, stride)
    return op.call(lambda x: function(F.pad(x, sizes), kernel, stride) * weight, 0)
