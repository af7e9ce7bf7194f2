"""Permutations that move no element, as views: decoders that read one token have several for each head.

Where an axis of size 1 changes its place, as in [1, 1, 8, 64] to [1, 8, 1, 64], nothing is copied by a Reshape, while
onnxruntime runs a Transpose, and pushes it through the graph as more of them. Views that follow each other become one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx_ir import Graph, Node, Shape, Value

VIEWS = {"Reshape", "Squeeze", "Unsqueeze"}


def join_views(graph: Graph) -> None:
    """Make Reshapes of the permutations that move axes of size 1 only, and skip views in front of Reshapes, in place.

    Those that nobody reads any more stay.
    """
    for node in graph:
        permuted = node.op_type == "Transpose" and _moves_nothing(node)
        if not (permuted or node.op_type == "Reshape") or not _sizes(node.outputs[0].shape):
            continue
        source = _behind_views(node.inputs[0])
        if permuted or source is not node.inputs[0]:
            _reshape(graph, node, source)


def _behind_views(value: Value | None) -> Value | None:
    """Value that `value` is a view of, or itself."""
    node = value.producer() if value is not None else None
    while node is not None and node.op_type in VIEWS:
        value = node.inputs[0]
        node = value.producer() if value is not None else None
    return value


def _moves_nothing(node: Node) -> bool:
    shape = node.inputs[0].shape if node.inputs[0] else None
    if shape is None or "perm" not in node.attributes:
        return False
    moved = [axis for axis in node.attributes["perm"].as_ints() if shape[axis] != 1]
    return moved == sorted(moved)


def _reshape(graph: Graph, node: Node, source: Value | None) -> None:
    """Make `node` a Reshape of `source` to the shape that its result has."""
    import onnx_ir as ir

    sizes = _sizes(node.outputs[0].shape)
    constant = ir.tensor(np.array(sizes, np.int64), name=f"{node.outputs[0].name}.shape")
    shape = ir.Value(name=constant.name, shape=ir.Shape([len(sizes)]), type=ir.TensorType(ir.DataType.INT64))
    shape.const_value = constant
    graph.register_initializer(shape)
    node.op_type = "Reshape"
    node.attributes.clear()
    node.resize_inputs(2)
    node.replace_input_with(0, source)
    node.replace_input_with(1, shape)


def _sizes(shape: Shape | None) -> list[int]:
    """Shape as Reshape takes it, -1 for a free axis; empty if it cannot say it."""
    sizes = [size if isinstance(size, int) else -1 for size in shape or ()]
    return sizes if sizes.count(-1) < 2 and 0 not in sizes else []
