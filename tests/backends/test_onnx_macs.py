"""Multiply-accumulates of single ONNX nodes, against the definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx import helper

from edgekit.backends.onnx.macs import Shape, macs
from edgekit.backends.onnx.placement import read
from edgekit.backends.onnx.weights import integer_share, weights


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
        ("Einsum", {"a": (2, 5, 12), "b": (12, 20)}, (2, 5, 20), {"equation": "bth,hk->btk"}, 2 * 5 * 12 * 20),
        (
            "Einsum",
            {"a": (2, 1, 5, 7), "b": (3, 7, 4)},
            (2, 3, 5, 4),
            {"equation": "...ij,...jk->...ik"},
            6 * 5 * 7 * 4,
        ),
        ("Einsum", {"a": (2, 5)}, (5, 2), {"equation": "ij->ji"}, 0),
        ("Attention", {"q": (1, 4, 6, 8), "k": (1, 4, 9, 8), "v": (1, 4, 9, 5)}, (1, 4, 6, 5), {}, 4 * 6 * 9 * (8 + 5)),
        (
            "Attention",
            {"x": (1, 6, 32), "w": (32, 96)},
            (1, 6, 32),
            {"domain": "com.microsoft"},
            6 * 32 * 96 + 2 * 6 * 6 * 32,
        ),
        ("Gather", {"table": (500, 32), "i": (1, 12)}, (1, 12, 32), {}, 0),
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


def test_weights_lie_in_tables_constants_and_loops_and_scales_of_groups_are_none() -> None:
    table = helper.make_tensor("table", 1, (9, 1), [0.0] * 9)
    bias = helper.make_tensor("bias", 1, (1, 4), [0.0] * 4)
    mask = helper.make_tensor("mask", 9, (3, 3), [True] * 9)
    index = helper.make_tensor("index", 7, (3, 3), [0] * 9)
    packed = helper.make_tensor("packed", 2, (6, 2, 16), [0] * 192)
    scales = helper.make_tensor("scales", 1, (6, 2), [0.0] * 12)
    inner = helper.make_tensor("inner", 3, (4, 5), [0] * 20)
    position = helper.make_node("Constant", [], ["position"], value=helper.make_tensor("", 10, (3, 4), [0.0] * 12))
    body = helper.make_graph([helper.make_node("Mul", ["s", "inner"], ["t"])], "body", [], [], [inner])
    nodes = [
        helper.make_node("Gather", ["table", "index"], ["a"]),
        helper.make_node("Add", ["a", "bias"], ["b"]),
        helper.make_node("Where", ["mask", "b", "a"], ["c"]),
        helper.make_node("MatMulNBits", ["c", "packed", "scales"], ["d"], K=64, N=6, bits=4, block_size=32),
        position,
        helper.make_node("Add", ["d", "position"], ["e"]),
        helper.make_node("Scan", ["e"], ["f"], body=body, num_scan_inputs=1),
    ]
    stored = weights(helper.make_graph(nodes, "g", [], [], [table, bias, mask, index, packed, scales]))
    sizes = {weight.key: (weight.elements, weight.bytes, weight.integer) for weight in stored.weights}
    assert sizes == {
        "packed": (64 * 6, 192, True),
        "position": (12, 24, False),
        "6.body.inner": (20, 20, True),
    }


def _value(name: str, shape: list[int]) -> Any:
    return helper.make_tensor_value_info(name, 1, shape)


def _read(folder: Path, nodes: list[Any], constants: list[Any], output: list[int]) -> int:
    graph = helper.make_graph(nodes, "g", [_value("x", [7, 4])], [_value("y", output)], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = folder / "loop.onnx"
    path.write_bytes(model.SerializeToString())
    return read(path, (), "cpu")[1].macs


WEIGHT = helper.make_tensor("w", 1, (4, 4), [0.5] * 16)


def test_a_scan_counts_every_step(tmp_path: Path) -> None:
    product = helper.make_node("MatMul", ["row", "w"], ["p"])
    added = helper.make_node("Add", ["p", "state"], ["next"])
    copy = helper.make_node("Identity", ["next"], ["out"])
    body = helper.make_graph(
        [product, added, copy],
        "body",
        [_value("state", [4]), _value("row", [4])],
        [_value("next", [4]), _value("out", [4])],
    )
    zero = helper.make_tensor("zero", 1, (4,), [0.0] * 4)
    scan = helper.make_node("Scan", ["zero", "x"], ["last", "y"], body=body, num_scan_inputs=1)
    assert _read(tmp_path, [scan], [WEIGHT, zero], [7, 4]) == 7 * 16


def test_a_loop_counts_its_steps_and_a_branch_its_larger_side(tmp_path: Path) -> None:
    large = helper.make_graph([helper.make_node("MatMul", ["state", "w"], ["a"])], "large", [], [_value("a", [7, 4])])
    small = helper.make_graph([helper.make_node("Identity", ["state"], ["b"])], "small", [], [_value("b", [7, 4])])
    branch = helper.make_node("If", ["go"], ["next"], then_branch=small, else_branch=large)
    on = helper.make_node("Identity", ["go"], ["on"])
    body = helper.make_graph(
        [branch, on],
        "body",
        [
            helper.make_tensor_value_info("i", 7, []),
            helper.make_tensor_value_info("go", 9, []),
            _value("state", [7, 4]),
        ],
        [helper.make_tensor_value_info("on", 9, []), _value("next", [7, 4])],
    )
    steps = helper.make_tensor("steps", 7, (), [5])
    loop = helper.make_node("Loop", ["steps", "", "x"], ["y"], body=body)
    assert _read(tmp_path, [loop], [WEIGHT, steps], [7, 4]) == 5 * 7 * 16
