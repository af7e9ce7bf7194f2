"""Forms in which LiteRT's delegates take selections, strided slices, group norms, nearest upsampling and casts.

An operator that the delegate lacks splits its partition in two, and runs on a kernel between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from edgekit.frontend.computed_weights import tensor
from edgekit.passes.attention.insertion import Insertion, arguments, shape, value
from edgekit.passes.attention.selection import decompose_selections

aten = torch.ops.aten
END = 2**63 - 1
"""End of a slice that has none."""
LAST, FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
"""Permutations to channels last, and back."""
Form = Callable[[fx.GraphModule, Insertion, fx.Node], fx.Node | None]
"""Operators for a node, inserted before it; None if it stays as it is."""


def with_delegable_forms(module: fx.GraphModule) -> fx.GraphModule:
    """Replace these operators, in place. The function stays the same, to the bit but for group norms."""
    decompose_selections(module)
    return with_forms(module, FORMS)


def with_forms(module: fx.GraphModule, forms: dict[Any, Form]) -> fx.GraphModule:
    """Replace operators of fixed shape by their forms, in place."""
    for node in list(module.graph.nodes):
        form = forms.get(node.target) if node.op == "call_function" else None
        if form is None or shape(node) is None or any(shape(source) is None for source in node.all_input_nodes):
            continue
        result = form(module, Insertion(node), node)
        if result is not None:
            node.replace_all_uses_with(result)
            module.graph.erase_node(node)
    module.recompile()
    return module


def _slice(module: fx.GraphModule, before: Insertion, node: fx.Node) -> fx.Node | None:
    """Every step-th entry along an axis: the first part of each block of `step`, in three axes, which GPUs take too."""
    call = arguments(node)
    x, axis, step = call["self"], call["dim"], call["step"]
    sizes = list(value(x).shape)
    axis, length = axis % len(sizes), sizes[axis]
    start = min(max((call["start"] or 0) + length * ((call["start"] or 0) < 0), 0), length)
    count = value(node).shape[axis]
    # Blocks may begin before the first entry, where those behind the last one would exceed the axis.
    phase = max(0, start + count * step - length)
    if step == 1 or not count or phase >= step or phase > start:
        return None
    begin, end = start - phase, start - phase + count * step
    run = x if end - begin == length else before.call(aten.slice.Tensor, x, axis, begin, end)
    entry = math.prod(sizes[axis + 1 :])
    blocks = before.call(aten.reshape.default, run, [math.prod(sizes[:axis]), count, step * entry])
    entries = before.call(aten.slice.Tensor, blocks, 2, phase * entry, (phase + 1) * entry)
    return before.call(aten.reshape.default, entries, list(value(node).shape))


def _group_norm(module: fx.GraphModule, before: Insertion, node: fx.Node) -> fx.Node | None:
    """GroupNorm (Wu and He 2018) as LayerNorm of the rows that its groups are."""
    call = arguments(node)
    x, affine = call["input"], (call["weight"], call["bias"])
    if any(each is not None and each.op != "get_attr" for each in affine):
        return None
    batch, channels, *spatial = value(x).shape
    length = channels // call["num_groups"] * math.prod(spatial)
    rows = before.call(aten.reshape.default, x, [batch, call["num_groups"], length])
    rows = before.call(aten.layer_norm.default, rows, [length], None, None, call["eps"])
    result = before.call(aten.reshape.default, rows, [batch, channels, *spatial])
    for operator, each in zip((aten.mul.Tensor, aten.add.Tensor), affine, strict=True):
        if each is not None:
            constant = tensor(module, each).detach().reshape(-1, *[1] * len(spatial))
            result = before.call(operator, result, before.constant(constant))
    return result


def _nearest(module: fx.GraphModule, before: Insertion, node: fx.Node) -> fx.Node | None:
    """Nearest upsampling by integers: rows and columns, channels last, joined with copies of themselves."""
    x: Any = node.args[0]
    channels, height, width = value(x).shape[1:]  # any number of samples: calibrated programs also judge batches
    *_, rows, columns = value(node).shape
    if rows % height or columns % width:
        return None
    result = before.call(aten.permute.default, x, LAST)
    if columns > width:
        result = before.call(aten.cat.default, [result] * (columns // width), 3)
    if rows > height:
        result = before.call(aten.reshape.default, result, [-1, height, 1, columns * channels])
        result = before.call(aten.cat.default, [result] * (rows // height), 2)
    result = before.call(aten.reshape.default, result, [-1, rows, columns, channels])
    return before.call(aten.permute.default, result, FIRST)


def _early_cast(module: fx.GraphModule, before: Insertion, node: fx.Node) -> fx.Node | None:
    """Cast of an int64 input, such as a mask, before what only moves its entries: no accelerator moves int64."""
    moves: list[fx.Node] = []
    source: Any = node.args[0]
    while source.target in MOVES and not source.kwargs and shape(source) is not None:
        moves.append(source)
        source = source.args[0]
    if not moves or source.op != "placeholder" or value(source).dtype != torch.int64:
        return None
    result = before.call(aten.to.dtype, source, value(node).dtype)
    for move in reversed(moves):
        result = before.call(move.target, result, *move.args[1:])
    return result


MOVES = {
    *(aten.unsqueeze.default, aten.squeeze.dim, aten.view.default, aten.reshape.default, aten.expand.default),
    *(aten.permute.default, aten.transpose.int, aten.slice.Tensor, aten.select.int),
}
"""Operators of one tensor whose entries are those of their input."""
UPSAMPLING: dict[Any, Form] = {aten.upsample_nearest2d.vec: _nearest}
"""Form of nearest upsampling, which integers have too: it is chosen before they are quantized."""
FORMS: dict[Any, Form] = {
    aten.slice.Tensor: _slice,
    aten.group_norm.default: _group_norm,
    aten.to.dtype: _early_cast,
    aten._to_copy.default: _early_cast,
    **UPSAMPLING,
}
