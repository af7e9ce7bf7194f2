"""Insertion of nodes into a captured program, with the values that quantizers read off their metadata."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

DERIVED = "derived_constant"
"""Key of a constant's metadata: name of the constant that it is computed of, and the module that computes it."""


class NodeInsertion:
    """Builder that inserts nodes before another, in its module, with a fake tensor of their value's shape each."""

    def __init__(self, model: fx.GraphModule, node: fx.Node) -> None:
        self.model, self.node = model, node
        self._mode = next(
            each.meta["val"].fake_mode
            for each in model.graph.nodes
            if isinstance(each.meta.get("val"), torch._subclasses.FakeTensor)
        )

    def call(self, target: Any, *args: Any) -> fx.Node:
        """Call of an operator, whose arguments may be nodes, or lists of nodes."""
        graph = self.node.graph
        with graph.inserting_before(self.node):
            new = graph.call_function(target, args)
        new.meta = {key: self.node.meta[key] for key in ("nn_module_stack", "stack_trace") if key in self.node.meta}
        with self._mode:
            new.meta["val"] = target(*fx.node.map_arg(args, lambda node: node.meta["val"]))
        return new

    def derived(self, name: str, source: fx.Node, derivation: torch.nn.Module) -> fx.Node:
        """Constant that a module computes of the constant `source`; training computes it anew (`DERIVED`)."""
        path, _, leaf = str(source.target).rpartition(".")
        value: Tensor = getattr(self.model.get_submodule(path), leaf)
        new = self.constant(name, derivation(value.detach()))
        new.meta[DERIVED] = (str(source.target), derivation)
        return new

    def constant(self, name: str, value: Tensor) -> fx.Node:
        """Parameter of the module, called `name` with a number behind it, and the node that reads it."""
        number = sum(1 for _ in self.model.parameters())
        self.model.register_parameter(f"{name}_{number}", torch.nn.Parameter(value, requires_grad=False))
        with self.node.graph.inserting_before(self.node):
            new = self.node.graph.get_attr(f"{name}_{number}")
        new.meta = {"val": self._mode.from_tensor(value, static_shapes=True)}
        return new
