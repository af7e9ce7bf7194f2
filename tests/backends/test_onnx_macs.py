"""Multiply-accumulates of single ONNX nodes, against the definition."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import helper

from edgekit.backends.onnx.macs import Shape, macs
from edgekit.backends.onnx.weights import integer_share


def count(operator: str, inputs: dict[str, Shape], output: Shape, **attributes: Any) -> int:
    node = helper.make_node(operator, list(inputs), ["y"], **attributes)
    return macs(node, {**inputs, "y": output})


@pytest.mark.parametrize(
    ("operator", "inputs", "output", "attributes", "expected"),
    [
        ("Conv", {"x": (1, 3, 8, 8), "w": (16, 3, 3, 3)}, (1, 16, 8, 8), {}, 16 * 8 * 8 * 3 * 9),
        ("FusedConv", {"x": (1, 16, 8, 8), "w": (16, 1, 5, 5)}, (1, 16, 4, 4), {"group": 16}, 16 * 4 * 4 * 25),
        ("QLinearConv", {"x": (1, 4, 9), "s": (), "z": (), "w": (2, 4, 3)}, (1, 2, 7), {}, 2 * 7 * 4 * 3),
        ("ConvTranspose", {"x": (1, 8, 5, 5), "w": (8, 4, 2, 2)}, (1, 4, 10, 10), {}, 8 * 25 * 4 * 4),
        ("Gemm", {"a": (2, 7), "b": (7, 3)}, (2, 3), {}, 2 * 7 * 3),
        ("QGemm", {"a": (7, 2), "s": (), "z": (), "b": (3, 7)}, (2, 3), {"transA": 1, "transB": 1}, 2 * 7 * 3),
        ("MatMul", {"a": (4, 2, 7), "b": (4, 7, 3)}, (4, 2, 3), {}, 4 * 2 * 7 * 3),
        ("MatMul", {"a": (7,), "b": (7, 3)}, (3,), {}, 7 * 3),
        ("LSTM", {"x": (5, 1, 6), "w": (1, 32, 6), "r": (1, 32, 8)}, (5, 1, 1, 8), {}, 5 * 32 * (6 + 8)),
        ("Relu", {"x": (1, 16, 8, 8)}, (1, 16, 8, 8), {}, 0),
    ],
)
def test_multiply_accumulates(
    operator: str, inputs: dict[str, Shape], output: Shape, attributes: dict[str, Any], expected: int
) -> None:
    assert count(operator, inputs, output, **attributes) == expected


def test_the_integer_share_counts_weights_and_neither_biases_nor_other_constants() -> None:
    tensors = [
        helper.make_tensor("w8", 3, (2, 3), [1] * 6),
        helper.make_tensor("s", 1, (), [0.1]),
        helper.make_tensor("z", 3, (), [0]),
        helper.make_tensor("bias", 1, (3,), [0.0] * 3),
        helper.make_tensor("w32", 1, (3, 6), [0.0] * 18),
        helper.make_tensor("offset", 1, (6,), [0.0] * 6),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["w8", "s", "z"], ["w"]),
        helper.make_node("Gemm", ["x", "w", "bias"], ["h"]),
        helper.make_node("MatMul", ["h", "w32"], ["m"]),
        helper.make_node("Add", ["m", "offset"], ["y"]),
    ]
    assert integer_share(helper.make_graph(nodes, "g", [], [], tensors)) == 6 / (6 + 18)


def test_the_integer_share_of_a_graph_without_weights_is_0() -> None:
    assert integer_share(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [])) == 0.0
