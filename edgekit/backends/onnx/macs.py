"""Multiply-accumulates of an ONNX node, from the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import NodeProto

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
Rule = Callable[["NodeProto", Shapes], int]


def macs(node: NodeProto, shapes: Shapes) -> int:
    """Multiply-accumulates of one run of `node`: 0 for an operator that has none.

    shapes: of every tensor that the node reads or writes. Convolution: output elements times the weights that make
    one of them. Matrix product: output elements times the length of the summed axis.
    """
    rule = RULES.get(node.op_type)
    return rule(node, shapes) if rule else 0


def weight_inputs(node: NodeProto) -> tuple[int, ...]:
    """Indices of the inputs of `node` that may hold trained weights."""
    return WEIGHTS.get(node.op_type, ())


def _convolution(weight: int) -> Rule:
    return lambda node, shapes: prod(shapes[node.output[0]]) * prod(shapes[node.input[weight]][1:])


def _packed_product(node: NodeProto, shapes: Shapes) -> int:
    return prod(shapes[node.output[0]]) * _attribute(node, "K")


def _transposed_convolution(node: NodeProto, shapes: Shapes) -> int:
    # Each input element is spread over the weights of its channel.
    return prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])


def _matrix_product(node: NodeProto, shapes: Shapes) -> int:
    left = shapes[node.input[0]]
    summed = left[-2] if _attribute(node, "transA") and len(left) > 1 else left[-1]
    return prod(shapes[node.output[0]]) * summed


def _recurrent(node: NodeProto, shapes: Shapes) -> int:
    # Every step of every sequence multiplies by both matrices of each direction.
    steps = prod(shapes[node.input[0]][:2])
    return steps * (prod(shapes[node.input[1]]) + prod(shapes[node.input[2]]))


def _attribute(node: NodeProto, name: str) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), 0)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv", "FusedConv", "ConvInteger"), _convolution(1)),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed_convolution,
    **dict.fromkeys(("Gemm", "FusedGemm", "QGemm"), _matrix_product),
    **dict.fromkeys(("MatMul", "FusedMatMul", "QLinearMatMul"), _matrix_product),
    **dict.fromkeys(("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"), _matrix_product),
    "MatMulNBits": _packed_product,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
}
WEIGHTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm"), (1,)),
    **dict.fromkeys(("MatMul", "MatMulInteger"), (0, 1)),
    "MatMulNBits": (1,),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2)),
}
