"""Weights in an ONNX file: every constant that is multiplied or a matrix, in the graph and in those inside.

Scales, zero points, biases, indices, shapes and masks of booleans are no weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING

from edgekit.backends.onnx.macs import weight_inputs
from edgekit.backends.onnx.scratch_weights import is_on_disk, values_of
from edgekit.ir.stored_weights import StoredWeight, StoredWeights, is_matrix, stored_weights

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

    Constants = Mapping[str, tuple[str, TensorProto]]
    """Constants that a graph sees, by name: key in the file, and the tensor."""

PACKED = "MatMulNBits"
"""Operator whose weights are packed, several to a byte."""
MOVES = {"DequantizeLinear", "Transpose", "Reshape"}
"""Operators between a stored weight and the operator that uses it."""
PARAMETERS = {
    "DequantizeLinear": 1, "QuantizeLinear": 1, PACKED: 2, "GatherBlockQuantized": 2, "DynamicQuantizeMatMul": 2,
    "DynamicQuantizeLSTM": 8,
}  # fmt: skip
"""Operators whose inputs, from this index on, are scales and zero points."""
BITS = {
    "FLOAT": 32, "FLOAT16": 16, "BFLOAT16": 16, "DOUBLE": 64,
    "INT8": 8, "UINT8": 8, "INT4": 4, "UINT4": 4, "INT2": 2, "UINT2": 2,
    "FLOAT8E4M3FN": 8, "FLOAT8E4M3FNUZ": 8, "FLOAT8E5M2": 8, "FLOAT8E5M2FNUZ": 8,
}  # fmt: skip
"""Bits of an element, by the data types that a weight may have."""


def weights(graph: GraphProto) -> StoredWeights:
    """Weights of a graph and of the graphs inside its loops and branches, as the file stores them."""
    return stored_weights(_weights(graph, {}, ""))


def products_are_integer(graph: GraphProto) -> bool:
    """True if all weights of convolutions, matrix products and recurrent cells are stored in 8 bits or fewer."""
    constants, makers = {tensor.name: tensor for tensor in graph.initializer}, _makers(graph)
    names = {_origin(node.input[index], makers) for node in graph.node for index in weight_inputs(node)}
    stored = [_bits(constants[name]) for name in names if name in constants]
    return bool(stored) and all(is_small for _, is_small in stored)


def integer_share(graph: GraphProto) -> float:
    """Share of the elements of all weights that are stored in integers of 8 bits or fewer, in [0, 1]."""
    return weights(graph).integer_share


def _weights(graph: GraphProto, outer: Constants, path: str) -> Iterator[StoredWeight]:
    constants = {**outer, **{tensor.name: (f"{path}{tensor.name}", tensor) for tensor in _constants(graph)}}
    makers = _makers(graph)
    for number, node in enumerate(graph.node):
        factors = {_origin(node.input[index], makers) for index in _roles(node)}
        readable = node.input[: PARAMETERS.get(node.op_type, len(node.input))]
        for name in sorted({*factors, *readable} & constants.keys()):
            key, tensor = constants[name]
            bits, is_small = _bits(tensor)
            if bits and (name in factors or is_matrix(_varying(tensor))):
                elements = _elements(tensor, node)
                yield StoredWeight(key, elements, prod(tensor.dims) * bits // 8, is_small)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _weights(inner, constants, f"{path}{number}.{attribute.name}.")


def _varying(tensor: TensorProto) -> tuple[int, ...]:
    """Shape without the last axis, if it repeats one value: `decompose` writes the vectors of preprocessing so."""
    if not is_matrix(tensor.dims) or not (tensor.raw_data or is_on_disk(tensor)):
        return tuple(tensor.dims)
    values = values_of(tensor)
    repeats = bool((values == values[..., :1]).all())
    return tuple(tensor.dims[:-1]) if repeats else tuple(tensor.dims)


def _roles(node: NodeProto) -> Iterator[int]:
    """Indices of the inputs that are factors of a product."""
    return (index for index in weight_inputs(node) if index < len(node.input))


def _constants(graph: GraphProto) -> Iterator[TensorProto]:
    """Initializers, and the values of `Constant` nodes under the names of their outputs."""
    from onnx import TensorProto

    yield from graph.initializer
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            value = node.attribute[0].t
            yield TensorProto(name=node.output[0], dims=value.dims, data_type=value.data_type)


def _bits(tensor: TensorProto) -> tuple[int, bool]:
    """Bits of an element, 0 for a type that no weight has; and whether it is an integer of at most 8."""
    from onnx import TensorProto

    name = TensorProto.DataType.Name(tensor.data_type)
    return BITS.get(name, 0), name in BITS and "INT" in name


def _elements(tensor: TensorProto, node: NodeProto) -> int:
    if node.op_type != PACKED:
        return prod(tensor.dims)
    sizes = {attribute.name: int(attribute.i) for attribute in node.attribute}
    return sizes["K"] * sizes["N"]


def _makers(graph: GraphProto) -> dict[str, NodeProto]:
    return {name: node for node in graph.node for name in node.output}


def _origin(name: str, makers: Mapping[str, NodeProto]) -> str:
    """Name of the stored tensor from which `name` is dequantized, transposed or reshaped."""
    while name in makers and makers[name].op_type in MOVES:
        name = makers[name].input[0]
    return name
