"""Storage of the weights in an ONNX file: the share that is held as integers."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from edgekit.backends.onnx.macs import weight_inputs

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

PACKED = "MatMulNBits"
"""Operator whose weights are packed, several to a byte."""
MOVES = {"DequantizeLinear", "Transpose", "Reshape"}
"""Operators between a stored weight and the operator that uses it."""


def integer_share(graph: GraphProto) -> float:
    """Share of the weight elements of convolutions and matrix products that are stored in 8 bits or fewer, 0 to 1."""
    from onnx import TensorProto

    small = {TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4}
    weights = _weights(graph)
    total = sum(elements for _, elements in weights)
    return sum(elements for tensor, elements in weights if tensor.data_type in small) / total if total else 0.0


def _weights(graph: GraphProto) -> list[tuple[TensorProto, int]]:
    """Weights, each once, with their number of elements."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    used = {_origin(node.input[index], producers): node for node in graph.node for index in weight_inputs(node)}
    return [(constants[name], _elements(constants[name], node)) for name, node in used.items() if name in constants]


def _elements(tensor: TensorProto, node: NodeProto) -> int:
    if node.op_type != PACKED:
        return prod(tensor.dims)
    sizes = {attribute.name: int(attribute.i) for attribute in node.attribute}
    return sizes["K"] * sizes["N"]


def _origin(name: str, producers: dict[str, NodeProto]) -> str:
    """Name of the stored tensor from which `name` is dequantized, transposed or reshaped."""
    while name in producers and producers[name].op_type in MOVES:
        name = producers[name].input[0]
    return name
