"""Linear layers that groups do not fill: those whose number of inputs is no multiple of the recipe's group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.ir.artifact import Format
from edgekit.passes.module_patterns import is_skipped, module_path
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.export import ExportedProgram

SHORT_GROUPS: frozenset[Format] = frozenset({"onnx"})
"""Formats whose int4 kernels take a shorter last group, so that every layer is in int4."""
SHOWN = 3
SIZES = (256, 128, 64, 32)


def remainder_warning(exported: ExportedProgram, recipe: Quantize, format: Format) -> str | None:
    """Sentence that names the layers which get int8 weights by channel in an int4 recipe; None where there are none.

    exported: the program before its weights are made smaller.
    """
    group = recipe.weights.group
    if recipe.precision != "weight-int4" or recipe.weights.granularity != "per-group" or format in SHORT_GROUPS:
        return None
    inputs = {name: count for name, count in linear_inputs(exported, recipe).items() if count % group}
    if not inputs:
        return None
    named = [f"'{name}' ({count} inputs)" for name, count in inputs.items()]
    layers = ", ".join(named[:SHOWN]) + (f" and {len(named) - SHOWN} more" if len(named) > SHOWN else "")
    sizes = [size for size in SIZES if size < group and not any(count % size for count in inputs.values())]
    hint = f"; quantize.weights.group = {sizes[0]} fits them all" if sizes else ""
    return f"Groups of {group} do not divide the inputs of {layers}: weights are int8 there, not int4{hint}."


def linear_inputs(exported: ExportedProgram, recipe: Quantize) -> dict[str, int]:
    """Number of inputs of each linear layer by its module's name, except those that the recipe keeps in float."""
    import torch

    return {
        module_path(node): node.args[1].meta["val"].shape[1]
        for node in exported.graph.nodes
        if node.target is torch.ops.aten.linear.default and not is_skipped(node, recipe.kept)
    }
