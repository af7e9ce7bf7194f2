"""Activation functions and squeeze-excite gates of a program: candidates to stay in float between integer layers.

Their integer kernels may be slower than float. The search of `[quantize.mixed]` measures it.
"""

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
    """Groups of module names that may be left in float together; empty if the program has none.

    At most three groups: activation functions, squeeze-excite gates, and both. kept: patterns of modules that are in
    float already. A module that contains others is named only if it is a gate.
    """
    nodes = [node for node in program.exported.graph.nodes if node.op == "call_function"]
    paths = {module_path(node) for node in nodes}
    functions = _named(nodes, paths, kept, lambda node: node.target in FUNCTIONS, alone=True)
    gates = _named(nodes, paths, kept, _is_gate, alone=False)
    both = tuple(dict.fromkeys((*functions, *gates)))
    return list(dict.fromkeys(group for group in (functions, gates, both) if group))


def _named(
    nodes: Sequence[Node], paths: set[str], kept: Sequence[str], chosen: Callable[[Node], bool], alone: bool
) -> tuple[str, ...]:
    """Paths of the modules of the nodes for which `chosen` is true; `alone` leaves out modules that contain others."""
    chosen_paths = dict.fromkeys(module_path(node) for node in nodes if chosen(node))
    whole = {path for path in chosen_paths if any(other.startswith(f"{path}.") for other in paths)}
    return tuple(path for path in chosen_paths if path and not covers(path, kept) and not (alone and path in whole))


def _is_gate(node: Node) -> bool:
    """True if the node multiplies each channel of a feature map by one number, as a squeeze-excite gate does."""
    if node.target not in PRODUCTS or any(source.op != "call_function" for source in node.all_input_nodes):
        return False  # a factor that is a constant, as in preprocessing, opens and closes nothing
    shapes = [source.meta["val"].shape for source in node.all_input_nodes]
    return len(shapes) == 2 and len(shapes[0]) == 4 and any(tuple(shape[2:]) == (1, 1) for shape in shapes)
