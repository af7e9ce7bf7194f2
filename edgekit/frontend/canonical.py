"""Canonical form of exported programs, on which every pass and backend relies.

Functionalization: nothing writes through a view or into an input. Constant folding: every weight is a constant, and
so are rows that are looked up by constant indices. Products by constants are linear layers. Batch norms behind layers
with shared weights are folded, each once. A factor behind the last layer is folded into its weights.
"""

from __future__ import annotations

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule

from edgekit.frontend.computed_weights import fold_weights
from edgekit.frontend.constant_factors import write_as_linear
from edgekit.frontend.constant_lookups import fold_lookups
from edgekit.frontend.dynamic_shapes import exported_like
from edgekit.frontend.functionalization import functional, writes_through
from edgekit.frontend.output_factor import fold_output_factor
from edgekit.frontend.shared_weight_folding import fold_shared


def canonical(exported: ExportedProgram) -> ExportedProgram:
    """Program of the same function in canonical form; `exported` itself if it has that form."""
    exported = without_writes(exported)
    module = exported.module()
    changes = [write_as_linear(module), fold_weights(module), fold_shared(module), fold_lookups(module)]
    changes.append(fold_output_factor(module))
    if not any(changes):
        return exported
    drop_unused(module)
    return exported_again(module, exported)


def without_writes(exported: ExportedProgram) -> ExportedProgram:
    """Program of the same function without writes through a view or into an input; `exported` itself if it has none."""
    if not writes_through(exported.graph):
        return exported
    return exported_again(functional(exported), exported)


def exported_again(module: GraphModule, exported: ExportedProgram) -> ExportedProgram:
    """Export `module`, a changed copy of `exported`, with the example inputs of `exported`."""
    inputs = exported.example_inputs
    assert inputs is not None
    with torch.no_grad():
        return exported_like(module, exported, inputs[0])


def drop_unused(module: GraphModule) -> None:
    """Drop dead parameters and buffers, which no node reads, in place."""
    read = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    for path, child in module.named_modules():
        for tensors in (child._parameters, child._buffers):
            for name in [name for name in tensors if (f"{path}.{name}" if path else name) not in read]:
                delattr(child, name)
