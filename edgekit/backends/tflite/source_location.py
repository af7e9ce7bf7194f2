"""Source location of an operator in the user's code."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from edgekit.passes.module_patterns import module_path

if TYPE_CHECKING:
    from torch import fx
    from torch.export import ExportedProgram

FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')


def origin(operator: str, exported: ExportedProgram) -> str:
    """Location of the first use of an operator, such as ` in module 'head' at model.py:12`; empty if there is none.

    operator: `aten.name.overload`. Overloads are not distinguished: the converter may lack a part of what is called.
    """
    for node in exported.graph.nodes:
        if node.op == "call_function" and _base(str(node.target)) == _base(operator):
            return location(node)
    return ""


def line_origin(line: int, module: fx.GraphModule) -> str:
    """Location of the node that a line of the generated code of `module` computes; empty if it computes none.

    The converter gives this line as the location of what it made of the node.
    """
    code = module.graph.python_code("self")
    numbers: dict[int, int | None] = code._lineno_map or {}
    nodes = list(module.graph.nodes)
    index = numbers.get(line - code._prologue_start)
    return f" of '{nodes[index].target}'{location(nodes[index])}" if index is not None else ""


def location(node: fx.Node) -> str:
    """Module and line of a node, such as ` in module 'head' at model.py:12`; empty if neither is known."""
    return _module(node) + _line(node)


def _base(operator: str) -> str:
    """Base name of an operator: `aten.linalg_inv_ex.default` and `linalg_inv` have the same."""
    name = operator.removeprefix("aten.").partition(".")[0]
    return name.strip("_").removesuffix("_ex")


def _module(node: fx.Node) -> str:
    path = module_path(node)
    return f" in module '{path}'" if path else ""


def _line(node: fx.Node) -> str:
    frames = FRAME.findall(node.meta.get("stack_trace") or "")
    own = [frame for frame in frames if "site-packages" not in PurePath(frame[0]).parts]
    return f" at {PurePath(own[-1][0]).name}:{own[-1][1]}" if own else ""
