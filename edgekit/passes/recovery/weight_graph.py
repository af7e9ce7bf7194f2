"""Weight graph: the computation of a program's weights from the network's parameters, as a module of its own.

Quantization needs constants, and batch norms folded into the layers before them. Training needs the parameters: those
of a weight or spectral norm, of batch norms, of a layer that is called twice. Gradients reach them through this graph.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping

import torch
from torch.fx import Graph, GraphModule, Node

from edgekit.frontend.canonical import drop_unused
from edgekit.frontend.computed_weights import computed_weights, constants, replace_weights
from edgekit.frontend.constant_factors import write_as_linear
from edgekit.frontend.shared_weight_folding import call_before, foldable_pairs, folded, replace_norm
from edgekit.passes.node_insertion import DERIVED

aten = torch.ops.aten
WEIGHTS = "weights"
"""Name of the submodule that computes a program's weights."""


def split_weights(module: GraphModule) -> GraphModule:
    """Fold the batch norms of `module`, and make every weight that it computes a constant, both in place.

    Returns a module without inputs that computes, from the original parameters, a dict of all constants by name.
    """
    write_as_linear(module)
    for pair in list(foldable_pairs(module, constants(module))):
        replace_norm(pair, *folded(pair))
    module.graph.eliminate_dead_code()
    values = computed_weights(module)
    # Equal values may come from different parameters, which training will change: each is a constant of its own.
    names = {node: f"computed_weight_{index}" for index, node in enumerate(values)}
    read = {str(node.target): node for node in module.graph.nodes if node.op == "get_attr"}
    weights = _graph_of(module, {**read, **{name: node for node, name in names.items()}})
    replace_weights(module, values, names)
    drop_unused(module)
    return weights


def join_weights(program: GraphModule, weights: GraphModule) -> None:
    """Have `program`, in place, read its constants from `weights`, which becomes its submodule of that name.

    What a quantizer derived of a constant, such as the weights of a sub-pixel convolution, is computed at every call.
    """
    (outputs,) = (node.args[0] for node in weights.graph.nodes if node.op == "output")
    known = [node for node in program.graph.nodes if node.op == "get_attr" and node.target in outputs]
    derived = [node for node in program.graph.nodes if node.op == "get_attr" and DERIVED in node.meta]
    program.add_submodule(WEIGHTS, weights)
    with program.graph.inserting_before(next(iter(program.graph.nodes))):
        values = program.graph.call_module(WEIGHTS)
    for node in (*known, *derived):
        source, derivation = node.meta.get(DERIVED, (node.target, None))
        with program.graph.inserting_before(node):
            weight = program.graph.call_function(operator.getitem, (values, source))
            if derivation is not None:
                program.add_submodule(f"derive_{node.name}", derivation)
                weight = program.graph.call_module(f"derive_{node.name}", (weight,))
        node.replace_all_uses_with(weight)
        program.graph.erase_node(node)
    for name in {str(node.target) for node in (*known, *derived)}:
        owner, _, leaf = name.rpartition(".")
        delattr(program.get_submodule(owner), leaf)
    program.recompile()


def with_derivatives(module: GraphModule) -> None:
    """Replace aten.copy, which has no derivative in torch, by operators that have one, in place."""
    for node in list(module.graph.nodes):
        if node.target is not aten.copy.default:
            continue
        value = node.meta["val"]
        with module.graph.inserting_before(node):
            source = call_before(node, aten._to_copy.default, node.args[1], dtype=value.dtype)
            expanded = call_before(node, aten.expand.default, source, list(value.shape))
        node.replace_all_uses_with(expanded)
        module.graph.erase_node(node)


def _graph_of(module: GraphModule, outputs: Mapping[str, Node]) -> GraphModule:
    """Module of the nodes of `module` on which `outputs` depend, with the same parameters."""
    needed = set(outputs.values())
    for node in reversed(module.graph.nodes):
        if node in needed:
            needed.update(node.all_input_nodes)
    graph, copies = Graph(), dict[Node, Node]()
    for node in module.graph.nodes:
        if node in needed:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output({name: copies[node] for name, node in outputs.items()})
    return GraphModule(module, graph)
