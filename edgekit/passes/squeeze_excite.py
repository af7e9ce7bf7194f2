"""Squeeze-excite gates and hard-swish, rewritten so that integer kernels need fewer operators.

Both rewrites leave the function as it is. A hard-sigmoid `clamp(x / 6 + 1/2, 0, 1)` after a convolution or a linear
layer becomes a clamp: scale and offset are folded into the layer's weights. A hard-swish is 0 below -3, so its input is
clamped there: the quantized range of the input then spends no step on values that make no difference. Integer kernels
clamp at no cost, by saturation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from edgekit.passes.module_patterns import is_skipped
from edgekit.passes.scale_folding import is_layer, scale_layer

aten = torch.ops.aten
HARD_SIGMOIDS = {aten.hardsigmoid.default, aten.hardsigmoid_.default}
HARD_SWISHES = {aten.hardswish.default, aten.hardswish_.default}
HARD_TANH = aten.hardtanh.default
"""A clamp, as every backend's fusions know it."""
ZERO_BELOW = -3.0
"""Input up to which hard-swish is 0 (Howard et al. 2019)."""


def prepare_gates(model: fx.GraphModule, skip: Sequence[str]) -> fx.GraphModule:
    """Rewrite gates and hard-swishes that follow a layer with constant weights, in place.

    skip: patterns of modules that stay as they are.
    """
    for node in list(model.graph.nodes):
        if node.target in HARD_SIGMOIDS | HARD_SWISHES and _is_alone_after_layer(node, skip):
            _prepare(node, node.args[0])
    model.graph.eliminate_dead_code()
    model.recompile()
    return model


def drop_saturated(model: fx.GraphModule) -> fx.GraphModule:
    """Drop clamps, in place, whose bounds the quantization after them enforces by saturation."""
    for node in list(model.graph.nodes):
        bounds = node.args[1:] if node.target is HARD_TANH else ()
        if len(bounds) == 2 and node.users and all(_expresses_no_more(user, *bounds) for user in node.users):
            node.replace_all_uses_with(node.args[0])
            model.graph.erase_node(node)
    model.recompile()
    return model


def _is_alone_after_layer(node: fx.Node, skip: Sequence[str]) -> bool:
    layer = node.args[0]
    if not isinstance(layer, fx.Node) or not is_layer(layer) or len(layer.users) > 1:
        return False
    return not is_skipped(node, skip) and not is_skipped(layer, skip)


def _prepare(node: fx.Node, layer: fx.Node) -> None:
    if node.target in HARD_SIGMOIDS:
        scale_layer(layer, 1 / 6, 1 / 2)
        node.target, node.args = HARD_TANH, (layer, 0.0, 1.0)
        return
    with node.graph.inserting_before(node):
        clamped = node.graph.call_function(HARD_TANH, (layer, ZERO_BELOW, math.inf))
    clamped.meta = dict(layer.meta)
    node.args = (clamped,)


def _expresses_no_more(quantize: fx.Node, low: float, high: float) -> bool:
    """True if no integer of `quantize` represents a value outside of [low, high], to half a step."""
    # By name: the operator is there only where a quantizer was imported.
    if str(quantize.target) != "quantized_decomposed.quantize_per_tensor.default":
        return False
    arguments: Any = quantize.args
    _, step, zero, least, most, *_ = arguments
    return bool((least - zero) * step >= low - step / 2 and (most - zero) * step <= high + step / 2)
