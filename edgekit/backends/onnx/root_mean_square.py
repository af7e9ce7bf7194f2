"""Norms by the root mean square, in the form that onnxruntime fuses into one kernel with the factor behind them.

That form divides by the root; torch's exporter multiplies by the reciprocal of it, which leaves seven kernels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx_ir import Graph, Node, Value


def divide_by_root(graph: Graph) -> None:
    """Make x · (1 / √(mean(x²) + ε)) a quotient, in place. The reciprocals stay, unread."""
    for node in graph:
        if node.op_type != "Mul":
            continue
        for index in (0, 1):
            reciprocal, source = node.inputs[index], node.inputs[1 - index]
            root = _operand(reciprocal, "Reciprocal")
            if root is not None and _is_root_of_squares(root, source):
                node.op_type = "Div"
                node.replace_input_with(0, source)
                node.replace_input_with(1, root)
                break


def _is_root_of_squares(root: Value, source: Value | None) -> bool:
    """True if `root` is √(mean(x²) + ε) of `source`."""
    total = _operand(root, "Sqrt")
    added = _producer(total, "Add")
    squares = [_operand(value, "ReduceMean") for value in added.inputs] if added is not None else []
    return any(_operand(value, "Pow") is source for value in squares if value is not None and source is not None)


def _operand(value: Value | None, operator: str) -> Value | None:
    """First input of the operator that gives `value`; None if another one gives it."""
    node = _producer(value, operator)
    return node.inputs[0] if node is not None else None


def _producer(value: Value | None, operator: str) -> Node | None:
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type == operator else None
