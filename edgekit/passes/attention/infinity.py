"""Analysis of a mask's values: may it be minus infinity, and may it mask a whole row of scores?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from edgekit.frontend.computed_weights import constant_value, constants

aten = torch.ops.aten
LAYERS: set[Any] = {
    aten.bmm.default,
    aten.conv1d.default,
    aten.conv2d.default,
    aten.layer_norm.default,
    aten.linear.default,
    aten.matmul.default,
    aten.sigmoid.default,
    aten.softmax.int,
    aten.tanh.default,
}
"""Operators whose result counts as finite: a network whose layers exceed the range of floats has no answer."""
DEQUANTIZE = "quantized_decomposed.dequantize_per_tensor.default"
FINITE: set[Any] = {
    aten.add.Tensor,
    aten.alias.default,
    aten.clamp.default,
    aten.clone.default,
    aten.contiguous.default,
    aten.detach.default,
    aten.detach_.default,
    aten.embedding.default,
    aten.expand.default,
    aten.flatten.using_ints,
    aten.full.default,
    aten.index_select.default,
    aten.lift_fresh_copy.default,
    aten.masked_fill.Scalar,
    aten.masked_fill.Tensor,
    aten.mul.Scalar,
    aten.mul.Tensor,
    aten.neg.default,
    aten.ones_like.default,
    aten.permute.default,
    aten.repeat.default,
    aten.reshape.default,
    aten.rsub.Scalar,
    aten.select.int,
    aten.slice.Tensor,
    aten.squeeze.dim,
    aten.sub.Tensor,
    aten.to.dtype,
    aten.transpose.int,
    aten.tril.default,
    aten.triu.default,
    aten.unsqueeze.default,
    aten.view.default,
    aten.where.ScalarOther,
    aten.where.ScalarSelf,
    aten.where.self,
    aten.zeros.default,
    aten.zeros_like.default,
}
"""Operators whose result is finite where their operands are.

A sum or a product that exceeds the range of floats is left out of account: a mask of `1 - mask` times the least float
is infinite for a mask below 0 only, which masks nothing.
"""


def constant(module: fx.GraphModule, node: fx.Node) -> Tensor | None:
    """Value of a node that depends on constants only; None of any other."""
    return constant_value(module, node) if node in constants(module) else None


def may_be_infinite(module: fx.GraphModule, node: fx.Node) -> bool:
    """True unless the node's values are finite for sure, for inputs that are."""
    constant_nodes, pending, seen = constants(module), [node], {node}
    while pending:
        current = pending.pop()
        if current in constant_nodes:
            tensor = constant_value(module, current)
            if isinstance(tensor, Tensor) and not bool(torch.isfinite(tensor).all()):
                return True
            continue
        if _is_integer(current) or current.op == "placeholder" or _is_layer(current):
            continue
        is_finite = current.target in FINITE or _is_division_by_number(current)
        if not is_finite or any(_is_infinite(argument) for argument in current.args):
            return True
        sources = [source for source in current.all_input_nodes if source not in seen]
        seen.update(sources)
        pending += sources
    return False


def _is_layer(node: fx.Node) -> bool:
    return node.target in LAYERS or str(node.target) == DEQUANTIZE


def _is_division_by_number(node: fx.Node) -> bool:
    """True for a quotient by a number other than 0, as of scores by the root of their length."""
    divisor = node.args[1] if node.target is aten.div.Tensor else 0
    return isinstance(divisor, int | float) and divisor != 0


def _is_integer(node: fx.Node) -> bool:
    """True for integers and booleans, which are finite whatever computes them."""
    tensor = node.meta.get("val")
    return not (isinstance(tensor, Tensor) and tensor.is_floating_point())


def _is_infinite(argument: Any) -> bool:
    return isinstance(argument, float) and argument in (float("inf"), float("-inf"))
