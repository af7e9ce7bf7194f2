"""Constants of quantized layers, one of its own for each layer.

XNNPACK rounds a bias to the scale of its layer's input, and takes a weight for integers only where it has one reader.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from edgekit.frontend.canonical import drop_unused, exported_again
from edgekit.frontend.computed_weights import fold_weights, tensor
from edgekit.passes.scale_folding import WEIGHTED


def with_transposed_copies(exported: ExportedProgram) -> ExportedProgram:
    """A float program with copies of the weights that one layer reads turned, and another as they are; else the same.

    XNNPACK's runtime dies of a constant that is a layer's weight and is transposed for another.
    """
    if any(map(_is_dequantize, exported.graph.nodes)):
        return exported
    module = exported.module()
    if not fold_weights(module, tied=True):
        return exported
    drop_unused(module)
    return exported_again(module, exported)


def with_unshared_constants(exported: ExportedProgram) -> ExportedProgram:
    """The program with copies of the weights and biases that quantized layers share; the same where they share none.

    The file holds equal copies once.
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


def with_unshared_reads(module: GraphModule) -> GraphModule:
    """Give every layer, in place, nodes of its own that read the constants it shares: XNNPACK's quantizer marks what a
    layer reads, and passes over a layer that reads what is marked."""
    for layer, place in list(_constants(module)):
        source = layer.args[place]
        assert isinstance(source, Node)
        if len(source.users) > 1:
            with layer.graph.inserting_before(layer):
                layer.update_arg(place, layer.graph.node_copy(source))
    module.recompile()
    return module


def _is_dequantize(node: Node) -> bool:
    return node.op == "call_function" and "dequantize" in str(node.target)


def _constants(module: GraphModule) -> Iterator[tuple[Node, int]]:
    """Every layer with the places of its constants among its arguments: 1 for the weight, 2 for the bias."""
    for layer in module.graph.nodes:
        if layer.target in WEIGHTED:
            yield from ((layer, place) for place in (1, 2) if place < len(layer.args) and _root(layer.args[place]))


def _root(argument: object) -> Node | None:
    """The constant that an argument is, or is dequantized from."""
    node = argument if isinstance(argument, Node) else None
    if node is not None and _is_dequantize(node):
        node = node.all_input_nodes[0]
    return node if node is not None and node.op == "get_attr" else None


def _readers(module: GraphModule, layer: Node, place: int) -> set[Node]:
    """Which layers read the constant of `layer` at `place`."""
    root = _root(layer.args[place])
    assert root is not None
    return {
        other for other, at in _constants(module) if (found := _root(other.args[at])) and found.target == root.target
    }


def _copy(module: GraphModule, layer: Node, place: int, name: str) -> None:
    source, root = layer.args[place], _root(layer.args[place])
    assert isinstance(source, Node)
    assert root is not None
    module.register_buffer(name, tensor(module, root).clone())
    with layer.graph.inserting_before(layer):
        made = layer.graph.get_attr(name)
        made.meta = dict(root.meta)
        if source is not root:
            made = layer.graph.node_copy(source, lambda node: made if node is root else node)
    layer.update_arg(place, made)
