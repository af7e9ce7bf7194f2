"""Graphs of patterns that XNNPACK's passes look for: traced only for a program that may have them.

Tracing takes 1.6 s of CPU for bilinear resizing and 1.2 s for attention (executorch 1.5.1), in every process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from torch.export import ExportedProgram

RESIZING = ("bilinear", "index", "interp", "grid")
"""Parts of the names of operators that bilinear resizing is, or may be written with: it gathers by index."""
ATTENTION = ("attention", "softmax")
"""Parts of the names of operators that attention is, or may be written with."""


@contextlib.contextmanager
def without_absent_patterns(methods: Iterable[ExportedProgram]) -> Iterator[None]:
    """Let XNNPACK's passes look only for patterns that the programs may have."""
    from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa

    names = set().union(*map(operators, methods))
    with contextlib.ExitStack() as stack:
        if not _has(names, RESIZING):
            stack.enter_context(patch.object(bilinear_2d, "get_graphs_dict", dict))
        if not _has(names, ATTENTION):
            stack.enter_context(patch.object(sdpa, "get_graphs", list))
        yield


def operators(exported: ExportedProgram) -> set[str]:
    """Names of the operators of a program and of its branches and loops."""
    from torch.fx import GraphModule

    modules = (module for module in exported.graph_module.modules() if isinstance(module, GraphModule))
    return {str(node.target) for module in modules for node in module.graph.nodes if node.op == "call_function"}


def _has(names: set[str], parts: tuple[str, ...]) -> bool:
    return any(part in name for name in names for part in parts)
