"""Operators of an ONNX graph that have float weights, and Gemm as MatMul and Add, which have kernels for fewer bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgekit.backends.onnx.scratch_weights import ScratchWeights, is_on_disk, place_of, values_of
from edgekit.ir.stored_weights import is_matrix
from edgekit.passes.module_patterns import covers

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

WEIGHTS = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "MatMul"), (1,)),
    "Gather": (0,),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2)),
}
"""Operators whose weights are compressed, with the indices of the weights among their inputs."""
PRODUCTS = ("Gemm", "MatMul")


def weighted_operators(graph: GraphProto, kept: Sequence[str]) -> list[tuple[NodeProto, TensorProto]]:
    """Operators with a float weight in the file, and that weight, except modules that `kept` covers."""
    from onnx import TensorProto

    floats = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    pairs = [
        (node, floats[node.input[index]])
        for node in graph.node
        for index in WEIGHTS.get(node.op_type, ())
        if node.input[index] in floats
    ]
    return [
        (node, tensor) for node, tensor in pairs if _is_weight(node, tensor) and not covers(module_of(tensor), kept)
    ]


def first_readers(graph: GraphProto, kept: Sequence[str]) -> list[tuple[NodeProto, TensorProto]]:
    """Operators and weights as `weighted_operators` lists them; a shared weight comes once, with its first operator."""
    first: dict[str, tuple[NodeProto, TensorProto]] = {}
    for node, tensor in weighted_operators(graph, kept):
        first.setdefault(tensor.name, (node, tensor))
    return list(first.values())


def _is_weight(node: NodeProto, tensor: TensorProto) -> bool:
    """True unless `tensor` is a vector: a bias, or the scales of a table in int8, which are looked up like its rows."""
    return is_matrix(tensor.dims) if node.op_type == "Gather" else len(tensor.dims) > 1


def module_of(tensor: TensorProto) -> str:
    """Module of a constant: `value_names` calls it `module.weight`, or `module/Operator.0`."""
    name: str = tensor.name
    return name.partition("/")[0] if "/" in name else name.rpartition(".")[0]


def named_products(model: ModelProto, kept: Sequence[str]) -> list[str]:
    """Name the operators, which have no names. Returns those of the matrix products to compress."""
    for index, node in enumerate(model.graph.node):
        node.name = f"node-{index}"
    return [node.name for node, _ in weighted_operators(model.graph, kept) if node.op_type in PRODUCTS]


def unroll_products(graph: GraphProto, names: set[str]) -> None:
    """Replace each Gemm of `names` by MatMul and Add, in place: MatMul has int4 and dynamic kernels."""
    from onnx import helper

    transposed = _transposed_weights(graph, [node for node in graph.node if node.name in names and is_transposed(node)])
    nodes = []
    for node in graph.node:
        if node.op_type != "Gemm" or node.name not in names:
            nodes.append(node)
            continue
        source, weight, *bias = node.input
        weight = transposed[weight] if is_transposed(node) else weight
        product = f"{node.output[0]}.product" if bias else node.output[0]
        nodes.append(helper.make_node("MatMul", [source, weight], [product], name=node.name))
        if bias:
            nodes.append(helper.make_node("Add", [product, *bias], list(node.output), name=f"{node.name}-bias"))
    del graph.node[:]
    graph.node.extend(nodes)


def _transposed_weights(graph: GraphProto, nodes: Sequence[NodeProto]) -> dict[str, str]:
    """Transpose the weights of `nodes` in the file, each once. Returns their new names by the old ones.

    A weight that other nodes read too, such as an embedding table, is copied.
    """
    from onnx import numpy_helper

    names: dict[str, str] = {}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for weight in dict.fromkeys(node.input[1] for node in nodes):
        tensor = constants[weight]
        values = values_of(tensor).T
        readers = sum(list(node.input).count(weight) for node in graph.node)
        if readers == sum(node.input[1] == weight for node in nodes):
            names[weight] = weight
        else:
            names[weight] = f"{weight}.transposed"
            tensor = graph.initializer.add()
        if is_on_disk(constants[weight]):
            ScratchWeights(place_of(constants[weight])).store(tensor, values, names[weight])
        else:
            tensor.CopyFrom(numpy_helper.from_array(values.copy(), names[weight]))
    return names


def is_transposed(node: NodeProto) -> bool:
    return any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
