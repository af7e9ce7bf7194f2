"""Products of stacks of matrices as `bmm`, without the `expand` that torch puts before each.

torch decomposes a `matmul` of three and more axes into `expand`, `view` and `bmm`, though nothing is to be expanded,
and no delegate takes an `expand`: two kernels outside of it a product, which copy both factors.
"""

from __future__ import annotations

from math import prod

import torch
from torch import fx

from edgekit.passes.attention.insertion import Insertion, shape, value

aten = torch.ops.aten


def decompose_stacked_products(module: fx.GraphModule) -> None:
    """Replace each `matmul` of two stacks of equal batch axes by a `bmm` between reshapes, in place."""
    for node in list(module.graph.nodes):
        if node.target is not aten.matmul.default:
            continue
        left, right = map(shape, node.args)
        if left is None or right is None or len(left) < 3 or left[:-2] != right[:-2]:
            continue
        before = Insertion(node)
        stacks = [_stack(before, argument) for argument in node.args]
        product = before.call(aten.bmm.default, *stacks)
        if len(left) > 3:
            product = before.call(aten.reshape.default, product, [*left[:-1], right[-1]])
        node.replace_all_uses_with(product)
        module.graph.erase_node(node)
    module.recompile()


def _stack(before: Insertion, node: fx.Node) -> fx.Node:
    sizes = value(node).shape
    if len(sizes) == 3:
        return node
    return before.call(aten.reshape.default, node, [prod(sizes[:-2]), *sizes[-2:]])
