"""Operators of ONNX that move, cut and join values."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from edgekit.frontend.onnx_import.layers import embedding
from edgekit.frontend.onnx_import.operator import DTYPES, OnnxOperator, Step, axes_of, makes

NUMBERS = {
    "value_float": torch.float32,
    "value_floats": torch.float32,
    "value_int": torch.int64,
    "value_ints": torch.int64,
}
"""Attributes of `Constant` that hold numbers, and their types."""


@makes("Reshape")
def _reshape(op: OnnxOperator) -> Step:
    sizes = [int(size) for size in op.numbers(1, "shape") or ()]
    if not op.attribute("allowzero", 0):
        sizes = [op.example(0).shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    batch = op.example(0).shape[:1]
    if len(batch) == 1 and batch[0] == 1 and sizes[:1] == [1] and not op.is_constant(0):
        # A batch of training has more samples than one.
        return op.call(lambda x: x.reshape(x.shape[0], *sizes[1:]), 0)
    return op.call(lambda x: x.reshape(sizes), 0)


@makes("Flatten")
def _flatten(op: OnnxOperator) -> Step:
    axis = op.attribute("axis", 1)
    axis = axis % op.rank() if axis < 0 else axis
    if axis == 1:
        return op.call(partial(torch.flatten, start_dim=1), 0) if op.rank() > 1 else op.call(lambda x: x[:, None], 0)
    rows = int(torch.tensor(op.example(0).shape[:axis]).prod()) if axis else 1
    return op.call(lambda x: x.reshape(rows, -1), 0)


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
        part = -(-size // count)
        sizes = [min(part, size - part * i) for i in range(count)]
    return op.call(lambda x: torch.split(x, [int(each) for each in sizes], axis), 0)


@makes("Slice")
def _slice(op: OnnxOperator) -> Step:
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
        indices = op.example(1).long() % size
        if indices.dim() == 0:
            place = int(indices)
            return op.call(lambda x: x.select(axis, place), 0)
        return op.call(lambda x: _selected(x, indices, axis), 0)
    return op.call(lambda x, numbers: _selected(x, torch.where(numbers < 0, numbers + size, numbers), axis), 0, 1)


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


@makes("Expand")
def _expand(op: OnnxOperator) -> Step:
    stated = [int(size) for size in op.numbers(1, "shape") or ()]
    sizes = torch.broadcast_shapes(op.example(0).shape, stated)  # type: ignore[no-untyped-call]
    return op.call(lambda x: x.expand(sizes), 0)


@makes("Tile")
def _tile(op: OnnxOperator) -> Step:
    repeats = [int(count) for count in op.numbers(1, "repeats") or ()]
    return op.call(lambda x: x.repeat(repeats), 0)


@makes("Shape", "Size")
def _shape(op: OnnxOperator) -> Step:
    shape = op.example(0).shape[op.attribute("start", 0) : op.attribute("end")]
    number = torch.tensor(list(shape) if op.kind == "Shape" else op.example(0).numel(), dtype=torch.long)
    return Step(lambda: number, ())


@makes("ConstantOfShape")
def _constant_of_shape(op: OnnxOperator) -> Step:
    fill = op.attribute("value", torch.zeros(1))
    sizes = [int(size) for size in op.numbers(0, "shape") or ()]
    return Step(lambda: torch.full(sizes, fill.reshape(-1)[0].item(), dtype=fill.dtype), ())


@makes("Range")
def _range(op: OnnxOperator) -> Step:
    numbers = [op.numbers(index)[0] for index in range(3)]  # type: ignore[index]
    return Step(lambda: torch.arange(*numbers, dtype=op.example(0).dtype), ())


@makes("OneHot")
def _one_hot(op: OnnxOperator) -> Step:
    depth, axis = int((op.numbers(1) or [0])[0]), op.attribute("axis", -1)

    def encode(index: Tensor, values: Tensor) -> Tensor:
        classes = torch.arange(depth)
        hot = torch.where(index < 0, index + depth, index).unsqueeze(-1) == classes
        return torch.where(hot, values[1], values[0]).movedim(-1, axis)

    return op.call(encode, 0, 2)


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
