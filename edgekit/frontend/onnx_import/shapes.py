"""Operators of ONNX that change shapes, and make tensors of shapes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.frontend.onnx_import.operator import DTYPES, FIXED, GraphValue, OnnxOperator, Step, axes_of, makes
from edgekit.frontend.onnx_import.symbolic_sizes import size_values

NUMBERS = {
    "value_float": torch.float32,
    "value_floats": torch.float32,
    "value_int": torch.int64,
    "value_ints": torch.int64,
}
"""Attributes of `Constant` that hold numbers, and their types."""


@makes("Reshape")
def _reshape(op: OnnxOperator) -> Step:
    operands, numbers = size_values(op, 1, "shape")
    # A batch of training has more samples than one.
    batched = op.example(0).shape[:1] == (1,) and not op.is_constant(0)
    keeps_zero = op.attribute("allowzero", 0)

    def reshape(x: Tensor, *stated: Any) -> Tensor:
        sizes = numbers(*stated)
        if not keeps_zero:
            sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
        if batched and sizes[:1] == [1]:
            sizes = [x.shape[0], *sizes[1:]]
        return x.reshape(sizes)

    return Step(reshape, (op.value(0), *operands))


@makes("Flatten")
def _flatten(op: OnnxOperator) -> Step:
    axis = op.attribute("axis", 1)
    axis = axis % op.rank() if axis < 0 else axis
    if axis == 1:
        return op.call(partial(torch.flatten, start_dim=1), 0) if op.rank() > 1 else op.call(lambda x: x[:, None], 0)
    return op.call(lambda x: x.reshape(math.prod(x.shape[:axis]), -1), 0)


@makes("Transpose")
def _transpose(op: OnnxOperator) -> Step:
    order = op.attribute("perm", list(reversed(range(op.rank()))))
    return op.call(lambda x: x.permute(order), 0)


@makes("Squeeze")
def _squeeze(op: OnnxOperator) -> Step:
    numbers = op.numbers(1, "axes")
    axes = axes_of(numbers, op.rank()) if numbers else [i for i, size in enumerate(op.example(0).shape) if size == 1]
    return op.call(lambda x: torch.squeeze(x, tuple(axes)), 0)


@makes("Unsqueeze")
def _unsqueeze(op: OnnxOperator) -> Step:
    numbers = op.numbers(1, "axes") or []
    axes = axes_of(numbers, op.rank() + len(numbers))

    def unsqueeze(x: Tensor) -> Tensor:
        for axis in axes:
            x = x.unsqueeze(axis)
        return x

    return op.call(unsqueeze, 0)


@makes("Concat")
def _concat(op: OnnxOperator) -> Step:
    axis = op.attribute("axis", 1)
    return op.call(lambda *values: torch.cat(values, axis), *range(len(op.inputs)))


@makes("Split")
def _split(op: OnnxOperator) -> Step:
    axis, sizes = op.attribute("axis", 0), op.numbers(1, "split")
    if sizes is None:
        count, size = op.attribute("num_outputs", len(op.outputs)), op.example(0).shape[axis]
        if axis % op.rank() in op.free_axes():
            raise op.refused("splits a free length into equal parts", hint=FIXED)
        part = -(-size // count)
        sizes = [min(part, size - part * i) for i in range(count)]
    return op.call(lambda x: torch.split(x, [int(each) for each in sizes], axis), 0)


@makes("Expand")
def _expand(op: OnnxOperator) -> Step:
    operands, numbers = size_values(op, 1)

    def expand(x: Tensor, *stated: Any) -> Tensor:
        sizes = numbers(*stated)
        rank = max(x.dim(), len(sizes))
        own, other = ([1] * (rank - len(each)) + list(each) for each in (x.shape, sizes))
        return x.expand([old if new == 1 else new for old, new in zip(own, other, strict=True)])

    return Step(expand, (op.value(0), *operands))


@makes("Tile")
def _tile(op: OnnxOperator) -> Step:
    operands, numbers = size_values(op, 1)
    return Step(lambda x, *stated: x.repeat(numbers(*stated)), (op.value(0), *operands))


@makes("Shape", "Size")
def _shape(op: OnnxOperator) -> Step:
    shape = op.example(0).shape[op.attribute("start", 0) : op.attribute("end")]
    number = torch.tensor(list(shape) if op.kind == "Shape" else op.example(0).numel(), dtype=torch.long)
    return Step(lambda: number, ())


@makes("ConstantOfShape")
def _constant_of_shape(op: OnnxOperator) -> Step:
    fill = op.attribute("value", torch.zeros(1))
    number, dtype = fill.reshape(-1)[0].item(), fill.dtype
    operands, numbers = size_values(op, 0)
    return Step(lambda *stated: torch.full(numbers(*stated), number, dtype=dtype), operands)


@makes("Range")
def _range(op: OnnxOperator) -> Step:
    bounds = [size_bound(op, index) for index in range(3)]
    dtype = next((op.example(index).dtype for index in range(3) if op.is_constant(index)), torch.int64)

    def count(*stated: Any) -> Tensor:
        left = iter(stated)
        return torch.arange(*(next(left) if isinstance(each, GraphValue) else each for each in bounds), dtype=dtype)

    return Step(count, tuple(each for each in bounds if isinstance(each, GraphValue)))


def size_bound(op: OnnxOperator, index: int) -> Any:
    """Number of an input, or the input itself where it follows a free length."""
    if op.value(index).sizes:
        return op.value(index)
    return (op.numbers(index) or [0])[0]


@makes("CumSum")
def _cumulative_sum(op: OnnxOperator) -> Step:
    axis = int((op.numbers(1) or [0])[0])
    if op.attribute("exclusive", 0) or op.attribute("reverse", 0):
        raise op.refused("sums exclusively, or in reverse")
    return op.call(lambda x: torch.cumsum(x, axis), 0)


@makes("Trilu")
def _triangle(op: OnnxOperator) -> Step:
    diagonal = int((op.numbers(1) or [0])[0])
    return op.call(partial(torch.triu if op.attribute("upper", 1) else torch.tril, diagonal=diagonal), 0)


@makes("EyeLike")
def _identity_matrix(op: OnnxOperator) -> Step:
    if op.free_axes():
        raise op.refused("has the shape of a free length", hint=FIXED)
    shape, dtype = op.example(0).shape, DTYPES.get(op.attribute("dtype", 1), torch.float32)
    if op.attribute("k", 0):
        raise op.refused("shifts the diagonal")
    return Step(lambda: torch.eye(*shape, dtype=dtype), ())


@makes("Einsum")
def _einsum(op: OnnxOperator) -> Step:
    equation = op.attribute("equation")
    text = equation.decode() if isinstance(equation, bytes) else equation
    return op.call(lambda *values: torch.einsum(text, *values), *range(len(op.inputs)))


@makes("DepthToSpace")
def _depth_to_space(op: OnnxOperator) -> Step:
    size, mode = op.attribute("blocksize"), op.attribute("mode", b"DCR")
    if mode in (b"CRD", "CRD"):
        return op.call(lambda x: F.pixel_shuffle(x, size), 0)

    def shuffle(x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        depth = channels // size**2
        parts = x.reshape(count, size, size, depth, height, width).permute(0, 3, 4, 1, 5, 2)
        return parts.reshape(count, depth, height * size, width * size)

    return op.call(shuffle, 0)


@makes("SpaceToDepth")
def _space_to_depth(op: OnnxOperator) -> Step:
    size = op.attribute("blocksize")

    def gather(x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        parts = x.reshape(count, channels, height // size, size, width // size, size).permute(0, 3, 5, 1, 2, 4)
        return parts.reshape(count, channels * size**2, height // size, width // size)

    return op.call(gather, 0)


@makes("Constant")
def _constant(op: OnnxOperator) -> Step:
    numbers = next((name for name in NUMBERS if name in op.attributes), None)
    if numbers is not None:
        return _same(torch.tensor(op.attributes[numbers], dtype=NUMBERS[numbers]))
    if not isinstance(op.attribute("value"), Tensor):
        raise op.refused("holds text or a sparse tensor")
    return _same(op.attribute("value"))


def _same(value: Tensor) -> Step:
    return Step(lambda: value, ())
