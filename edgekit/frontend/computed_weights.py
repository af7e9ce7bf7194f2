"""Constant folding of weights that the network computes from others: weight norm, weight standardization, masks …

In evaluation they are always the same, and quantization and batch-norm folding need constants.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Set
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg

from edgekit.frontend.functionalization import is_view, is_write

SLOTS = ("weight", "bias", "running_mean", "running_var")
"""Names that torch's operators give to arguments that are constants in a trained network."""


def fold_weights(module: GraphModule, tied: bool = False) -> bool:
    """Replace, in place, every weight that depends on constants only by its value. Returns whether there was one.

    tied: also weights that are only a view of a constant that others read; it is then stored twice.
    """
    values = computed_weights(module, tied)
    equal: dict[tuple[object, ...], str] = {}
    names: dict[Node, str] = {}
    for node, value in values.items():
        key = (value.dtype, tuple(value.shape), hashlib.sha256(value.view(torch.uint8).numpy().tobytes()).digest())
        names[node] = equal.setdefault(key, f"computed_weight_{len(equal)}")
    replace_weights(module, values, names)
    return bool(values)


def computed_weights(module: GraphModule, tied: bool = False) -> dict[Node, Tensor]:
    """Nodes of `module` that compute a weight from constants only, with their values."""
    constant = constants(module)
    _drop_assertions(module, constant)
    values: dict[Node, Any] = {}
    return {
        node: constant_value(module, node, values).detach().contiguous() for node in _computed(module, constant, tied)
    }


def replace_weights(module: GraphModule, values: Mapping[Node, Tensor], names: Mapping[Node, str]) -> None:
    """Hold `values` in `module` as parameters called `names`, and read these, in place, where nodes computed them."""
    for node, value in values.items():
        owner, _, leaf = names[node].rpartition(".")
        setattr(module.get_submodule(owner), leaf, nn.Parameter(value.clone(), requires_grad=False))
        with module.graph.inserting_before(node):
            constant = module.graph.get_attr(names[node])
        constant.meta = {"val": node.meta["val"]}
        node.replace_all_uses_with(constant)
    module.graph.eliminate_dead_code()
    module.recompile()


def _drop_assertions(module: GraphModule, constant: Set[Node]) -> None:
    """Drop assertions on the dtype of a constant: they would keep it alive after folding."""
    for node in list(module.graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default and node.args[0] in constant:
            module.graph.erase_node(node)


def constants(module: GraphModule) -> set[Node]:
    """Nodes whose values depend on constants alone."""
    constant: set[Node] = set()
    for node in module.graph.nodes:
        if node.op == "get_attr" or (_is_pure(node) and all(source in constant for source in node.all_input_nodes)):
            constant.add(node)
    return constant


def _computed(module: GraphModule, constant: Set[Node], tied: bool) -> list[Node]:
    """Constant nodes that compute a weight."""
    calls = [node for node in module.graph.nodes if node in constant and node.op == "call_function"]
    return [node for node in calls if _is_weight(node) and (tied or not _is_view_of_used(node))]


def _is_pure(node: Node) -> bool:
    tags = getattr(node.target, "tags", ())
    random = torch.Tag.nondeterministic_seeded in tags
    return node.op == "call_function" and not random and not is_write(node) and not any(map(is_write, node.users))


def _is_weight(node: Node) -> bool:
    return any(slot is node for user in node.users for slot in _slots(user))


def _slots(user: Node) -> list[Any]:
    schema = getattr(user.target, "_schema", None)
    if schema is None:
        return []
    named = {argument.name: value for argument, value in zip(schema.arguments, user.args, strict=False)} | user.kwargs
    return [named.get(name) for name in SLOTS]


def _is_view_of_used(node: Node) -> bool:
    """True for a view of a constant that others read too, such as a tied embedding: its copy would be stored twice."""
    while is_view(node) and len(node.all_input_nodes) == 1:
        node = node.all_input_nodes[0]
        if len(node.users) > 1:
            return True
    return False


def constant_value(module: GraphModule, node: Node, values: dict[Node, Any] | None = None) -> Any:
    """Value of a node that depends on constants alone; `values` caches those computed so far."""
    values = {} if values is None else values
    if node not in values:
        values[node] = tensor(module, node) if node.op == "get_attr" else _called(module, node, values)
    return values[node]


def _called(module: GraphModule, node: Node, values: dict[Node, Any]) -> Any:
    args, kwargs = map_arg((node.args, node.kwargs), lambda source: constant_value(module, source, values))
    assert callable(node.target)
    with torch.no_grad():
        return node.target(*args, **kwargs)


def tensor(module: GraphModule, constant: Node) -> Tensor:
    """Tensor that a `get_attr` node reads."""
    path, _, name = str(constant.target).rpartition(".")
    value: Tensor = getattr(module.get_submodule(path), name)
    return value.detach()
