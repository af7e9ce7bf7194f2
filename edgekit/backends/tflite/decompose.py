"""Decomposition of elementwise operators into those for which XNNPACK has int8 kernels.

LiteRT has an int8 kernel for hard-swish, its XNNPACK delegate has none: each one would split the delegate's partition.
On a small MobileNetV3 that cost more than half of the latency (0.85 ms against 0.33 ms).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.scale_folding import absorb

aten = torch.ops.aten
SCALED = {aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor}


def decompose(model: fx.GraphModule, skip: Sequence[str]) -> fx.GraphModule:
    """Replace hard-swish, hard-sigmoid and SiLU by products and clamps, and numbers by constants, in place.

    skip: patterns of modules that stay as they are.
    """
    for node in list(model.graph.nodes):
        if node.op == "call_function" and not is_skipped(node, skip):
            _rewrite(node)
    model.graph.eliminate_dead_code()
    model.recompile()
    return model


def _rewrite(node: fx.Node) -> None:
    decomposition = DECOMPOSITIONS.get(node.target)
    if decomposition:
        node.replace_all_uses_with(decomposition(Before(node), node.args[0]))
    elif node.target in SCALED and isinstance(node.args[1], int | float) and _is_float(node):
        _lift(node, node.args[1])


def _lift(node: fx.Node, number: float) -> None:
    """Make the number a constant input, so that it can be quantized; division becomes multiplication."""
    if node.target is aten.div.Tensor:
        node.target, number = aten.mul.Tensor, 1 / number
    node.args = (node.args[0], Before(node).constant(float(number)))


def _is_float(node: fx.Node) -> bool:
    return isinstance(node.args[0], fx.Node) and bool(node.args[0].meta["val"].is_floating_point()) and not node.kwargs


class Before:
    """Builder that inserts nodes before another, with its shape and module."""

    def __init__(self, node: fx.Node) -> None:
        self.node = node

    def call(self, target: Any, *args: Any) -> fx.Node:
        graph = self.node.graph
        with graph.inserting_before(self.node):
            new = graph.call_function(target, args)
        new.meta = {key: self.node.meta[key] for key in ("val", "nn_module_stack") if key in self.node.meta}
        return new

    def constant(self, number: float) -> fx.Node:
        """Buffer with one element, of the node's rank: another rank would end a channels-last region."""
        graph = self.node.graph
        value = torch.full([1] * self.node.meta["val"].dim(), number)
        model = graph.owning_module
        assert model is not None
        name = f"number_{sum(1 for _ in model.buffers())}"
        model.register_buffer(name, value)
        with graph.inserting_before(self.node):
            new = graph.get_attr(name)
        new.meta = {"val": value}
        return new


def _hard_sigmoid(before: Before, x: Any) -> fx.Node:
    shifted = before.call(aten.add.Tensor, x, before.constant(3.0))
    return before.call(aten.mul.Tensor, before.call(aten.hardtanh.default, shifted, 0.0, 6.0), before.constant(1 / 6))


def _hard_swish(before: Before, x: Any) -> fx.Node:
    shifted = before.call(aten.add.Tensor, x, before.constant(3.0))
    product = before.call(aten.mul.Tensor, x, before.call(aten.hardtanh.default, shifted, 0.0, 6.0))
    # The sixth goes into the weights of the layers that follow: one operator fewer over every element.
    return product if absorb(before.node, 1 / 6) else before.call(aten.mul.Tensor, product, before.constant(1 / 6))


def _silu(before: Before, x: Any) -> fx.Node:
    return before.call(aten.mul.Tensor, x, before.call(aten.sigmoid.default, x))


DECOMPOSITIONS: dict[Any, Callable[[Before, Any], fx.Node]] = {
    aten.hardsigmoid.default: _hard_sigmoid,
    aten.hardswish.default: _hard_swish,
    aten.hardswish_.default: _hard_swish,
    aten.silu.default: _silu,
    aten.silu_.default: _silu,
}
