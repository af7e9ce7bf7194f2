"""Insertion of operators before a node of a graph, with their values, so that one rewrite can follow another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import FakeTensor
from torch.fx.node import map_arg


class Insertion:
    """Builder of operators before `node`, which keep its module and its source line."""

    def __init__(self, node: fx.Node) -> None:
        self.node = node

    def call(self, target: Any, *args: Any) -> fx.Node:
        """Insert a call of `target`."""
        with self.node.graph.inserting_before(self.node):
            new = self.node.graph.call_function(target, args)
        new.meta = {key: self.node.meta[key] for key in ("nn_module_stack", "stack_trace") if key in self.node.meta}
        new.meta["val"] = target(*map_arg(args, value))
        return new

    def constant(self, tensor: Tensor) -> fx.Node:
        """Insert a read of a new buffer with the value of `tensor`."""
        model = self.node.graph.owning_module
        assert model is not None
        name = f"attention_constant_{sum(1 for _ in model.buffers())}"
        model.register_buffer(name, tensor)
        with self.node.graph.inserting_before(self.node):
            new = self.node.graph.get_attr(name)
        mode = next((each.fake_mode for each in map(value, self.node.all_input_nodes) if _is_fake(each)), None)
        new.meta = {"val": mode.from_tensor(tensor, static_shapes=True) if mode else tensor}
        return new


def value(node: fx.Node) -> Any:
    """Value of a node as the export traced it: a tensor without data, or an integer."""
    return node.meta["val"]


def shape(node: fx.Node) -> tuple[int, ...] | None:
    """Shape of a node's tensor; None if an axis is free."""
    sizes = tuple(value(node).shape)
    return sizes if all(isinstance(size, int) for size in sizes) else None


def arguments(node: fx.Node) -> dict[str, Any]:
    """Arguments of a call by the names of its schema, defaults included."""
    assert isinstance(node.target, torch._ops.OpOverload)
    named = {each.name: each.default_value for each in node.target._schema.arguments if each.has_default_value()}
    names = (each.name for each in node.target._schema.arguments)
    return named | dict(zip(names, node.args, strict=False)) | dict(node.kwargs)


def _is_fake(tensor: Any) -> bool:
    return isinstance(tensor, FakeTensor)
