"""Copies of shared constants, so that each layer has its own weights and biases.

XNNPACK rounds a bias to the scale of its layer's input, and treats a weight as integers only if it has one reader.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from edgekit.frontend.canonical import drop_unused, exported_again
from edgekit.frontend.computed_weights import fold_weights, tensor
from edgekit.passes.scale_folding import WEIGHTED

aten = torch.ops.aten
LAYERS = WEIGHTED | {aten.conv_transpose1d.default, aten.conv_transpose2d.input, aten.conv_transpose3d.input}
BIAS = 2
"""Place of the bias among a layer's arguments, behind the weight."""


def with_own_weights(exported: ExportedProgram) -> ExportedProgram:
    """Copy the weights and biases of layers of a float program that others read transposed, or compute with.

    XNNPACK's runtime crashes on a constant that is one layer's weight or bias, and is transposed for another or an
    operand of another operator; tables of embeddings are read by kernels outside of it. A bias behind several weights
    is copied, too: stored integers have their own scales. The file stores equal copies once. Returns `exported` itself
    if there is none, and if it is quantized.
    """
    if any(map(_is_dequantize, exported.graph.nodes)):
        return exported
    module = exported.module()
    is_changed = fold_weights(module, tied=True)
    operands = {node.target for node in module.graph.nodes if node.op == "get_attr" and _is_operand(node)}
    shared = [
        (layer, place)
        for layer, place in _constants(module)
        if _target(layer, place) in operands or (place == BIAS and _has_several_weights(module, layer))
    ]
    for number, (layer, place) in enumerate(shared):
        _copy(module, layer, place, f"own_constant_{number}")
    if not is_changed and not shared:
        return exported
    drop_unused(module)
    return exported_again(module, exported)


def with_unshared_constants(exported: ExportedProgram) -> ExportedProgram:
    """Copy the weights and biases that quantized layers share. Returns `exported` itself if they share none.

    The file stores equal copies once.
    """
    if not any(map(_is_dequantize, exported.graph.nodes)):
        return exported
    module = exported.module()
    shared = [(layer, place) for layer, place in _constants(module) if len(_readers(module, layer, place)) > 1]
    for number, (layer, place) in enumerate(shared):
        _copy(module, layer, place, f"own_constant_{number}")
    if not shared:
        return exported
    module.graph.eliminate_dead_code()
    module.recompile()
    return exported_again(module, exported)


def _is_dequantize(node: Node) -> bool:
    return node.op == "call_function" and "dequantize" in str(node.target)


def _constants(module: GraphModule) -> Iterator[tuple[Node, int]]:
    """Layers with the indices of constants among their arguments: 1 for the weight, 2 for the bias."""
    for layer in module.graph.nodes:
        if layer.target in LAYERS:
            yield from ((layer, place) for place in (1, 2) if place < len(layer.args) and _root(layer.args[place]))


def _root(argument: object) -> Node | None:
    """Constant that an argument is, or is dequantized from; None if it is neither."""
    node = argument if isinstance(argument, Node) else None
    if node is not None and _is_dequantize(node):
        node = node.all_input_nodes[0]
    return node if node is not None and node.op == "get_attr" else None


def _readers(module: GraphModule, layer: Node, place: int) -> set[Node]:
    """Layers that read the constant of `layer` at `place`."""
    root = _root(layer.args[place])
    assert root is not None
    return {
        other
        for other, at in _constants(module)
        if (constant := _root(other.args[at])) and constant.target == root.target
    }


def _has_several_weights(module: GraphModule, layer: Node) -> bool:
    """True if the bias of `layer` is behind several weights."""
    return len({_target(other, BIAS - 1) for other in _readers(module, layer, BIAS)}) > 1


def _target(layer: Node, place: int) -> object:
    """Name of the constant of `layer` at `place`."""
    root = _root(layer.args[place])
    return root.target if root else None


def _is_operand(constant: Node) -> bool:
    """True if anything but a layer, as its weight or bias, or an embedding reads the constant."""
    return any(
        user.target is not aten.embedding.default and (user.target not in LAYERS or user.args[0] is constant)
        for user in constant.users
    )


def _copy(module: GraphModule, layer: Node, place: int, name: str) -> None:
    source, root = layer.args[place], _root(layer.args[place])
    assert isinstance(source, Node)
    assert root is not None
    module.register_buffer(name, tensor(module, root).clone())
    with layer.graph.inserting_before(layer):
        constant_copy = layer.graph.get_attr(name)
        constant_copy.meta = dict(root.meta)
        if source is not root:
            constant_copy = layer.graph.node_copy(source, lambda node: constant_copy if node is root else node)
    layer.update_arg(place, constant_copy)
