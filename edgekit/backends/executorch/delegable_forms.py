"""Rewriting of a program, before it is partitioned, into operators that XNNPACK delegates."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from edgekit.backends.executorch.forms import (
    activations,
    averages,
    group_norm,
    layer_norm,
    powers,
    rotation,
)
from edgekit.backends.executorch.forms.form import Form, Rule
from edgekit.frontend.canonical import drop_unused, exported_again

RULES: dict[object, Rule] = {
    operator: rule
    for module in (activations, averages, group_norm, layer_norm, powers, rotation)
    for operator, rule in module.RULES.items()
}
"""Rules of all modules, by operator."""
CONSTANT = "form_constant"
"""Beginning of the names of the constants that forms bring: no weights of the network."""


def with_delegable_forms(exported: ExportedProgram) -> ExportedProgram:
    """Program of the same function in which operators have the forms above; `exported` itself if none has one.

    Each operator that XNNPACK lacks splits its partition in two, and runs on a portable kernel between them.
    """
    if not any(node.target in RULES for node in exported.graph.nodes):
        return exported
    module = exported.module()
    forms = [(node, form) for node in module.graph.nodes if (form := _form(module, node)) is not None]
    if not forms:
        return exported
    constants: dict[tuple[object, ...], str] = {}
    for node, form in forms:
        node.target, node.kwargs = form.compute, {}
        node.args = tuple(_argument(module, node, value, constants) for value in form.arguments)
    module.graph.eliminate_dead_code()
    module.recompile()
    drop_unused(module)
    return exported_again(module, exported)


def _form(module: GraphModule, node: Node) -> Form | None:
    rule = RULES.get(node.target) if node.op == "call_function" else None
    return rule(module, node) if rule else None


def _argument(module: GraphModule, node: Node, value: Any, constants: dict[tuple[object, ...], str]) -> Any:
    """The value itself, or the constant of the module that a tensor becomes; equal tensors become one."""
    if not isinstance(value, Tensor):
        return value
    key = (tuple(value.shape), value.detach().numpy().tobytes())
    name = constants.setdefault(key, f"{CONSTANT}_{len(constants)}")
    if not hasattr(module, name):
        module.register_buffer(name, value.detach().clone())
    with node.graph.inserting_before(node):
        constant = node.graph.get_attr(name)
    return constant
