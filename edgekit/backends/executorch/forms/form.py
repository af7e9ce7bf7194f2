"""Form of an operator: the function that computes the same of operators that XNNPACK has, and its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import GraphModule, Node


@dataclass(frozen=True)
class Form:
    """Call that stands in for a node when the program is exported again.

    compute: function of torch. arguments: its arguments; nodes, numbers, and tensors, which become constants.
    """

    compute: Callable[..., Any]
    arguments: tuple[Any, ...]


Rule = Callable[[GraphModule, Node], Form | None]
"""Form of a node of the operator for which the rule stands; None if the node is to stay as it is.

To write one: read `arguments(node)`, leave out what `static_shape` or `is_float` does not know, return a `Form` of a
function at the top of a module, and add the operator to the module's `RULES`.
"""


def arguments(node: Node) -> dict[str, Any]:
    """Arguments of a node by the names of its operator's schema, with the defaults of those that are left out."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]  # an operator of torch
    values = {argument.name: argument.default_value for argument in schema}
    values.update(zip((argument.name for argument in schema), node.args, strict=False))
    return values | dict(node.kwargs)


def static_shape(node: Node) -> tuple[int, ...] | None:
    """Shape of the node's tensor; None if an axis has a free length, or none."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor) or not all(isinstance(length, int) and length for length in value.shape):
        return None
    return tuple(value.shape)


def is_float(node: Node) -> bool:
    """True if the node is a tensor of float32, the type in which XNNPACK takes what is not quantized."""
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype is torch.float32
