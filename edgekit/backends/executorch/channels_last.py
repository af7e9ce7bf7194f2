"""Layout of values, channels last or first, where XNNPACK rounds them for a convolution at run time."""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

aten = torch.ops.aten
CHANNELS_LAST = {
    aten.conv2d.default,
    aten.conv2d.padding,
    aten.conv_transpose2d.input,
    aten.max_pool2d.default,
    aten.avg_pool2d.default,
    aten.adaptive_avg_pool2d.default,
    aten.upsample_bilinear2d.vec,
    aten.prelu.default,
}
"""Operators that XNNPACK computes channels last, for inputs of any layout."""
RESHAPES = {
    aten.view.default,
    aten.reshape.default,
    aten.flatten.using_ints,
    aten.unflatten.int,
    aten.permute.default,
    aten.transpose.int,
    aten.squeeze.dim,
    aten.unsqueeze.default,
    aten.stack.default,
    aten.group_norm.default,
    aten.layer_norm.default,
    aten.linear.default,
    aten.matmul.default,
}
"""Operators whose result is channels first, for inputs of any layout."""
PORTABLE = {
    aten.upsample_nearest2d.vec,
    aten.upsample_nearest2d.default,
    aten.pixel_shuffle.default,
    aten.index.Tensor,
    aten.gather.default,
    aten.topk.default,
    aten.sort.default,
    aten.cumsum.default,
}
"""Operators without a kernel of XNNPACK: what comes before them and what comes behind are two delegates."""


def delegates_of(model: GraphModule) -> dict[Node, int]:
    """Number the delegates that operators will be in, from the last (0) down, as the partitioner groups them.

    It goes from the outputs to the inputs, and puts each operator as near to the outputs as its users let it.
    """
    numbers: dict[Node, int] = {}
    for node in reversed(model.graph.nodes):
        numbers[node] = min((numbers[user] - (user.target in PORTABLE) for user in node.users), default=0)
    return numbers


def is_channels_last(convolution: Node, delegates: dict[Node, int]) -> bool:
    """True if XNNPACK has the input channels last, or if it is an input of the delegate, which XNNPACK can transpose.

    Any other value it transposes too late: it follows the value back to its origin, and transposes all between. Values
    that are concatenated it transposes before, each by itself.
    """

    def enters(node: Node, user: Node) -> bool:
        return node.op == "placeholder" or node.target in PORTABLE or delegates[node] < delegates[user]

    source = convolution.args[0]
    assert isinstance(source, Node)
    pending, seen = [(source, False)], {source}
    while pending:
        node, joined = pending.pop()
        if node.target in CHANNELS_LAST:
            return True
        joined = joined or node.target is aten.cat.default
        inputs = node.all_input_nodes if node.target not in RESHAPES else ()
        pending.extend((new, joined) for new in inputs if new not in seen and (joined or not enters(new, node)))
        seen.update(inputs)
    return enters(source, convolution)
