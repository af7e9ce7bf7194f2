"""Scalars in integer arithmetic, such as a counter's `position + 1`: they stay integers while a program is prepared."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.fx import GraphModule


def with_integer_scalars(transform: Callable[[GraphModule], GraphModule], model: GraphModule) -> GraphModule:
    """Apply `transform`, and undo what it did to the arguments of operators whose result is no float.

    torchao makes a float constant of every scalar operand (`_convert_scalars_to_attrs`, torchao 0.18.0), so that an
    integer sum became a float: a counter among the state would change its dtype.
    """
    arguments = {node.name: node.args for node in model.graph.nodes if _is_integer(node.meta.get("val"))}
    transformed = transform(model)
    for node in transformed.graph.nodes:
        if node.name in arguments:
            node.args = arguments[node.name]
    transformed.graph.eliminate_dead_code()
    transformed.recompile()
    return transformed


def _is_integer(value: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    return dtype is not None and not dtype.is_floating_point
