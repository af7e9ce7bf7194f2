"""Which modules of a program only bend values, or gate them: what may be quicker in float between integer layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from edgekit.passes.module_patterns import covers, module_path

if TYPE_CHECKING:
    from torch.fx import Node

    from edgekit.ir.program import Program

aten = torch.ops.aten
FUNCTIONS = {
    aten.hardswish.default,
    aten.hardswish_.default,
    aten.silu.default,
    aten.silu_.default,
    aten.gelu.default,
    aten.sigmoid.default,
    aten.tanh.default,
}
PRODUCTS = {aten.mul.Tensor, aten.mul_.Tensor}


def float_candidates(program: Program, kept: Sequence[str]) -> list[tuple[str, ...]]:
    """Modules by what may be left in float together: functions, gates (squeeze-excite), and both. Empty if it has none.

    `kept` are patterns of what is in float already. A module that others are inside of is named only if it is a gate.
    """
    nodes = [node for node in program.exported.graph.nodes if node.op == "call_function"]
    paths = {module_path(node) for node in nodes}
    functions = _named(nodes, paths, kept, lambda node: node.target in FUNCTIONS, alone=True)
    gates = _named(nodes, paths, kept, _is_gate, alone=False)
    both = tuple(dict.fromkeys((*functions, *gates)))
    return list(dict.fromkeys(found for found in (functions, gates, both) if found))


def _named(
    nodes: Sequence[Node], paths: set[str], kept: Sequence[str], chosen: Callable[[Node], bool], alone: bool
) -> tuple[str, ...]:
    found = dict.fromkeys(module_path(node) for node in nodes if chosen(node))
    whole = {path for path in found if any(other.startswith(f"{path}.") for other in paths)}
    return tuple(path for path in found if path and not covers(path, kept) and not (alone and path in whole))


def _is_gate(node: Node) -> bool:
    """Whether it multiplies a picture's channels each by one number."""
    if node.target not in PRODUCTS or any(source.op != "call_function" for source in node.all_input_nodes):
        return False  # a factor that is a constant, as in preprocessing, opens and closes nothing
    shapes = [source.meta["val"].shape for source in node.all_input_nodes]
    return len(shapes) == 2 and len(shapes[0]) == 4 and any(tuple(shape[2:]) == (1, 1) for shape in shapes)
