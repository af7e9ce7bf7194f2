"""Forms of attention and masks that delegates take whole: the rewrites of this package, one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edgekit.frontend.canonical import drop_unused, exported_again

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

Rewrite = Callable[["GraphModule"], None]


def rewritten(exported: ExportedProgram, rewrites: Sequence[Rewrite]) -> ExportedProgram:
    """Program of the same function after `rewrites`, each in place on a copy; `exported` itself if none changes it."""
    module = exported.module()
    before = _calls(module)
    for rewrite in rewrites:
        rewrite(module)
    if _calls(module) == before:
        return exported
    drop_unused(module)
    return exported_again(module, exported)


def _calls(module: GraphModule) -> list[tuple[Node, object, object]]:
    return [(node, node.target, node.args) for node in module.graph.nodes]
