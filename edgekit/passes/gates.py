"""Squeeze-excite gates and hard-swish, prepared for integers: what rounding absorbs is not computed.

Both rewrites leave the function as it is. A hard-sigmoid `clamp(x / 6 + 1/2, 0, 1)` after a convolution or a linear layer
becomes a clamp: the rest goes into the layer's weights. A hard-swish is 0 below -3 and so may never see less: the
quantized range of its input then spends no step on what makes no difference. Integer kernels do clamps for nothing, by
saturation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from edgekit.passes.skip import is_skipped

aten = torch.ops.aten
WEIGHTED = {aten.conv1d.default, aten.conv2d.default, aten.conv3d.default, aten.linear.default}
HARD_SIGMOIDS = {aten.hardsigmoid.default, aten.hardsigmoid_.default}
HARD_SWISHES = {aten.hardswish.default, aten.hardswish_.default}
HARD_TANH = aten.hardtanh.default
"""A clamp, as every backend's fusions know it."""
ZERO_BELOW = -3.0
"""Where hard-swish begins (Howard et al. 2019)."""


def prepare_gates(model: fx.GraphModule, skip: Sequence[str]) -> fx.GraphModule:
    """Rewrite gates and hard-swishes that follow a layer with constant weights, in place, but modules in `skip`."""
    for node in list(model.graph.nodes):
        if node.op != "call_function" or not node.args or not isinstance(node.args[0], fx.Node):
            continue
        layer = node.args[0]
        if not is_layer(layer) or len(layer.users) > 1 or is_skipped(node, skip) or is_skipped(layer, skip):
            continue
        if node.target in HARD_SIGMOIDS:
            scale_layer(layer, 1 / 6, 1 / 2)
            node.target, node.args = HARD_TANH, (layer, 0.0, 1.0)
        elif node.target in HARD_SWISHES:
            with model.graph.inserting_before(node):
                clamped = model.graph.call_function(HARD_TANH, (layer, ZERO_BELOW, math.inf))
            clamped.meta = dict(layer.meta)
            node.args = (clamped,)
    model.graph.eliminate_dead_code()
    model.recompile()
    return model


def keep_averaged_axes(model: fx.GraphModule) -> fx.GraphModule:
    """Drop height and width after an average over them, not in it, in place: kernels for it keep both."""
    for node in list(model.graph.nodes):
        if node.target is not aten.mean.dim or len(node.args) > 2 and node.args[2]:
            continue
        source, axes = node.args[:2]
        value = source.meta["val"]
        if value.dim() != 4 or sorted(axis % 4 for axis in axes or ()) != [2, 3]:
            continue
        with model.graph.inserting_after(node):
            flat = model.graph.call_function(aten.flatten.using_ints, (node, 1))
        flat.meta = dict(node.meta)
        node.replace_all_uses_with(flat, lambda user, flat=flat: user is not flat)
        node.args = (source, axes, True)
        node.meta["val"] = value.mean((2, 3), keepdim=True)
    model.recompile()
    return model


def is_layer(node: fx.Node) -> bool:
    """Whether it multiplies by constant weights."""
    weights = node.args[1] if node.target in WEIGHTED else None
    return isinstance(weights, fx.Node) and weights.op == "get_attr"


def scale_layer(layer: fx.Node, factor: float, offset: float = 0.0) -> None:
    """Make a layer give `factor` times what it gave, plus `offset`; its old weights may have other users."""
    bias = layer.args[2] if len(layer.args) > 2 else None
    weights = _tensor(layer.args[1]).double() * factor
    added = None if bias is None else _tensor(bias).double() * factor
    if added is None and offset:
        added = torch.zeros(weights.shape[0], dtype=torch.float64)
    changed = [layer.args[0], _constant(layer, layer.args[1], weights)]
    if added is not None:
        changed.append(_constant(layer, bias, added + offset))
    layer.args = (*changed, *layer.args[3:])


def _tensor(node: Any) -> Tensor:
    found: Any = node.graph.owning_module
    for part in node.target.split("."):
        found = getattr(found, part)
    assert isinstance(found, Tensor)
    return found.detach()


def _constant(layer: fx.Node, before: Any, value: Tensor) -> fx.Node:
    model = layer.graph.owning_module
    assert model is not None
    name = f"scaled_{sum(1 for _ in model.buffers())}"
    model.register_buffer(name, value.float())
    with layer.graph.inserting_before(layer):
        made = layer.graph.get_attr(name)
    made.meta = dict(before.meta) if before is not None else {}
    made.meta["val"] = value.float()
    return made
