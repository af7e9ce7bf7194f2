"""Printer of programs: one line an operator, the same text for the same program. For people, and for golden tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.ir.program import Program

if TYPE_CHECKING:
    from torch.fx import Node


def text(program: Program) -> str:
    """Print the program: history, inputs and outputs, and the graph in execution order."""
    signature = program.signature
    passes = " → ".join(("capture", *(record.name for record in program.history)))
    lines = [f"program ({passes})", *(f"  in  {spec}" for spec in signature.inputs)]
    lines += [f"  out {spec}" for spec in signature.outputs]
    inputs = program.exported.graph_signature.user_inputs
    lines += [_line(node) for node in program.exported.graph.nodes if node.op != "placeholder" or node.name in inputs]
    return "\n".join(lines) + "\n"


def _line(node: Node) -> str:
    if node.op == "placeholder":
        return f"%{node.name} = input : {_type(node.meta.get('val'))}"
    if node.op == "output":
        return f"return {_argument(node.args[0])}"
    arguments = [_argument(argument) for argument in node.args]
    arguments += [f"{name}={_argument(value)}" for name, value in node.kwargs.items()]
    return f"%{node.name} = {_operator(node)}({', '.join(arguments)}) : {_type(node.meta.get('val'))}"


def _operator(node: Node) -> str:
    return str(node.target).removesuffix(".default").removesuffix(".Tensor").removesuffix(".tensor")


def _argument(value: Any) -> str:
    if hasattr(value, "op") and hasattr(value, "name"):
        return f"%{value.name}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_argument, value))}]"
    # Six digits tell scales apart; the last bits of a sum of floats depend on how many threads added them.
    return f"{value:.6g}" if isinstance(value, float) else str(value).removeprefix("torch.")


def _type(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"({', '.join(map(_type, value))})"
    if not hasattr(value, "dtype"):
        return type(value).__name__
    return f"{str(value.dtype).removeprefix('torch.')}[{', '.join(map(str, value.shape))}]"
