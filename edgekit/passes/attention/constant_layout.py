"""Memory layout of constants: contiguous, whatever permutation computed them.

A bias of four axes that was permuted, as an embedding of distances, lies in memory as pictures channels last do.
XNNPACK takes it for one, and reads its axes in another order (executorch 1.5.1: error 0x10, or another answer).
"""

from __future__ import annotations

from torch import fx

from edgekit.frontend.computed_weights import tensor
from edgekit.passes.attention.insertion import Insertion


def store_contiguously(module: fx.GraphModule) -> None:
    """Replace each constant that is not contiguous by a copy that is, in place."""
    copies: dict[str, fx.Node] = {}
    for node in list(module.graph.nodes):
        if node.op != "get_attr" or tensor(module, node).is_contiguous():
            continue
        name = str(node.target)
        copies[name] = copies.get(name) or Insertion(node).constant(tensor(module, node).contiguous())
        node.replace_all_uses_with(copies[name])
        module.graph.erase_node(node)
    module.recompile()
