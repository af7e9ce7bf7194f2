"""Network of an exported program: a plain torch.fx module with layers, which takes the project's inputs in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Graph, GraphModule, Node
from torch.fx.graph import CodeGen
from torch.utils import _pytree as pytree

from edgekit.errors import LoadError, SpecError
from edgekit.frontend.exported_layers import with_layers
from edgekit.specs.inputs import Input

TRAINING = "export it in evaluation mode: torch.export.export(network.eval(), example_inputs)"


def exported_network(exported: ExportedProgram, inputs: Mapping[str, Input], stated: str) -> nn.Module:
    """Network of the program `stated`. Its outputs are those of the program: a tensor, tuple, list or dict.

    Raises SpecError if the project's inputs are not the program's, LoadError if it was exported in training mode.
    """
    unlifted = exported.module()
    assert isinstance(unlifted, GraphModule)
    _flatten_calls(unlifted.graph, exported)
    module = GraphModule(unlifted, unlifted.graph)  # without the guards and hooks of an exported module
    _drop_guards(module)
    _check_inputs(module, exported, inputs, stated)
    _check_mode(module, stated)
    _loosen_views(module)
    with_layers(module)
    module.meta = {}
    return module.train(False)


def _drop_guards(module: GraphModule) -> None:
    for node in list(module.graph.nodes):
        if node.op == "call_module" and node.target == "_guards_fn":
            module.graph.erase_node(node)
    module.delete_all_unused_submodules()


def _loosen_views(module: GraphModule) -> None:
    """Let views copy where they must: pixels come in another memory format than the example of the export had."""
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.view.default:
            node.target = torch.ops.aten.reshape.default


def _flatten_calls(graph: Graph, exported: ExportedProgram) -> None:
    """Let the graph take its tensors one by one, and return them as the exported network did."""
    output = graph.output_node()
    flat = list(pytree.tree_leaves(output.args[0]))
    spec = exported.call_spec.out_spec
    names = spec.context if spec is not None and spec.type is dict else None
    single = spec is not None and spec.is_leaf()
    # A dict keeps its names; what else a network returns is told by the order of its tensors.
    value: Any = dict(zip(names, flat, strict=True)) if names and len(names) == len(flat) else tuple(flat)
    output.args = (flat[0] if single else value,)
    graph.set_codegen(CodeGen())


def _check_inputs(module: GraphModule, exported: ExportedProgram, inputs: Mapping[str, Input], stated: str) -> None:
    """Raise SpecError unless each input of the project is that of the program in its place, with batch 1."""
    nodes = [node for node in module.graph.nodes if node.op == "placeholder"]
    program = f"'{stated}' takes {', '.join(map(_text, nodes)) or 'nothing'}"
    if len(nodes) != len(inputs):
        raise SpecError(f"{program}, [inputs] states {len(inputs)}", hint="state one for each, in this order")
    for node, (name, spec) in zip(nodes, inputs.items(), strict=True):
        value = node.meta["val"]
        sizes = [1, *spec.shape]
        if value.shape and isinstance(value.shape[0], int) and value.shape[0] != 1:
            raise SpecError(
                f"{program}: its batch is {value.shape[0]}, edgekit's is 1",
                hint="export it again with an example of batch 1, or with a dynamic batch axis",
            )
        alike = len(sizes) == value.dim() and all(
            _holds(size, number, exported) for size, number in zip(value.shape, sizes, strict=True)
        )
        if not alike:
            raise SpecError(
                f"{program}, and [inputs.{name}] states {sizes} with the batch axis",
                hint=f"shape = {_sizes(value.shape[1:])} in [inputs.{name}]{_free_note(value.shape[1:])}",
            )
        if _dtype(value) != spec.dtype:
            raise SpecError(
                f"{program}, and [inputs.{name}] is {spec.dtype}", hint=f'dtype = "{_dtype(value)}" in [inputs.{name}]'
            )


def _holds(size: Any, number: int, exported: ExportedProgram) -> bool:
    """True if an axis of the program, of a size or a range of sizes, can have this many elements."""
    if isinstance(size, int):
        return size == number
    limits = exported.range_constraints.get(size.node.expr)
    return limits is None or bool(limits.lower <= number <= limits.upper)


def _text(node: Node) -> str:
    value = node.meta["val"]
    return f"{node.name} {_dtype(value)}{_sizes(value.shape)}"


def _dtype(value: Tensor) -> str:
    """Name of a tensor's dtype as numpy and `[inputs]` have it."""
    return str(value.dtype).removeprefix("torch.")


def _sizes(shape: Sequence[Any]) -> str:
    """Sizes of axes as text; `N` stands for a size that is free."""
    return f"[{', '.join(str(size) if isinstance(size, int) else 'N' for size in shape)}]"


def _free_note(shape: Sequence[Any]) -> str:
    """Note on the sizes that `_sizes` leaves open; empty where none is."""
    return "" if all(isinstance(size, int) for size in shape) else ", with a length for each N"


def _check_mode(module: GraphModule, stated: str) -> None:
    for node in module.graph.nodes:
        name = str(node.target)
        trains = name == "aten.batch_norm.default" and node.args[5] is True
        drops = name == "aten.dropout.default" and node.args[2] is True
        if trains or drops or name.startswith("aten._native_batch_norm_legit"):
            raise LoadError(f"'{stated}' was exported in training mode: node '{node.name}' is {name}", hint=TRAINING)
