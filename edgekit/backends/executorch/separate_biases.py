"""Additions in the place of the biases of linear layers, for weights of int8 that XNNPACK multiplies by float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node

from edgekit.frontend.canonical import exported_again
from edgekit.passes.module_patterns import is_skipped

aten = torch.ops.aten
BIAS = 2
"""Index of the bias among the arguments of a linear layer."""


def with_separate_biases(exported: ExportedProgram, kept: Sequence[str]) -> ExportedProgram:
    """Program whose linear layers have no bias, but an addition behind; `exported` itself if none has a bias.

    XNNPACK of executorch 1.5.1 multiplies the bias by the scale of its output too, as it does the integers: of a bias
    of 0.1 and a scale of 0.001 it adds 0.0001. kept: patterns of modules that stay in float, whose layers keep theirs.
    """
    module: Any = exported.module()
    layers = [
        node
        for node in module.graph.nodes
        if node.target is aten.linear.default and len(node.args) > BIAS and not is_skipped(node, kept)
    ]
    layers = [node for node in layers if isinstance(node.args[BIAS], Node)]
    for node in layers:
        bias = node.args[BIAS]
        with module.graph.inserting_after(node):
            total = module.graph.call_function(aten.add.Tensor)
        node.replace_all_uses_with(total)
        node.args, total.args = node.args[:BIAS], (node, bias)
        total.meta = {key: node.meta[key] for key in ("nn_module_stack", "stack_trace") if key in node.meta}
    if not layers:
        return exported
    module.recompile()
    return exported_again(module, exported)
