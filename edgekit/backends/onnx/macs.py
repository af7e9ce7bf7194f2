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
    one of them. Matrix product: output elements times the length of the summed axis. Recurrent cells: both matrices,
    for every step. Attention: scores, and their product with the values. A lookup has none.
    """
    rule = FUSED.get(node.op_type) if node.domain == OWN else None
    rule = rule or RULES.get(node.op_type)
    return rule(node, shapes) if rule else 0


def weight_inputs(node: NodeProto) -> tuple[int, ...]:
    """Indices of the inputs of `node` that may hold trained weights."""
    if node.op_type == "Einsum":
        return tuple(range(len(node.input)))
    return (1,) if (node.op_type, node.domain) == ("Attention", OWN) else WEIGHTS.get(node.op_type, ())


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


def _einsum(node: NodeProto, shapes: Shapes) -> int:
    """Product of the lengths of all axes: what the loops of the definition run. 0 with one factor, a transposition."""
    if len(node.input) < 2:
        return 0
    equation = next(attribute.s.decode() for attribute in node.attribute if attribute.name == "equation")
    lengths: dict[str, int] = {}
    for term, name in zip(equation.split("->")[0].replace(" ", "").split(","), node.input, strict=True):
        front, dots, back = term.partition("...")
        shape = shapes[name]
        inner = len(shape) - len(front) - len(back) if dots else 0
        labels = [*front, *(f"...{inner - axis}" for axis in range(inner)), *back]
        for label, length in zip(labels, shape, strict=True):
            lengths[label] = max(length, lengths.get(label, 1))
    return prod(lengths.values()) * (len(node.input) - 1)


def _fused_attention(node: NodeProto, shapes: Shapes) -> int:
    """onnxruntime's `Attention`: input [N, S, D] times weights [D, 3E], then scores and their product with values."""
    batch, length, _ = shapes[node.input[0]]
    width = shapes[node.output[0]][-1]
    past = shapes[node.input[4]][-2] if len(node.input) > 4 and node.input[4] else 0
    return batch * length * (prod(shapes[node.input[1]]) + 2 * (length + past) * width)


def _attention(node: NodeProto, shapes: Shapes) -> int:
    """Scores of queries [N, S, D] or [N, H, S, D] against keys, and their product with the values, output-shaped."""
    query, key, output = (shapes[name] for name in (node.input[0], node.input[1], node.output[0]))
    return (prod(query) + prod(output)) * key[-2]


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
    **dict.fromkeys(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"), _recurrent),
    "Einsum": _einsum,
    "Attention": _attention,
}
FUSED: dict[str, Rule] = {"Attention": _fused_attention, "MultiHeadAttention": _attention}
"""Rules of onnxruntime's own operators, some of which have the name of one of ONNX's."""
OWN = "com.microsoft"
WEIGHTS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm"), (1,)),
    **dict.fromkeys(("MatMul", "MatMulInteger"), (0, 1)),
    **dict.fromkeys(("MatMulNBits", "DynamicQuantizeMatMul"), (1,)),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"), (1, 2)),
}
