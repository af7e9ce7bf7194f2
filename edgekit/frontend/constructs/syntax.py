"""Syntax of the line of a user's file that an error passed through."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Syntax:
    """Nodes of the syntax tree around one expression, innermost first; none where the file cannot be read."""

    nodes: tuple[ast.AST, ...] = ()

    @cached_property
    def path(self) -> tuple[ast.AST, ...]:
        """Nodes from the expression to its statement, both included."""
        return self.nodes[: self._statement + 1]

    @property
    def statement(self) -> ast.AST | None:
        """Statement of the expression."""
        return self.nodes[self._statement] if self.nodes else None

    @property
    def enclosing(self) -> tuple[ast.AST, ...]:
        """Nodes around the statement, innermost first, to the module."""
        return self.nodes[self._statement + 1 :]

    @property
    def function(self) -> ast.AST | None:
        """Function around the statement; None at the top of a file."""
        return next((node for node in self.enclosing if isinstance(node, Function)), None)

    @property
    def called(self) -> str:
        """Name of the function that the expression itself calls, such as `int` or `torch.equal`; empty if it is no
        call."""
        return call_name(self.path[0]) if self.path else ""

    @property
    def calls(self) -> frozenset[str]:
        """Names of all functions that the statement calls, without those in the body of an `if` or a loop."""
        return frozenset(filter(None, map(call_name, self.expressions())))

    @property
    def calls_of_function(self) -> frozenset[str]:
        """Names of all functions that the function around the statement calls."""
        nodes = ast.walk(self.function) if self.function else ()
        return frozenset(filter(None, map(call_name, nodes)))

    def expressions(self) -> Iterator[ast.AST]:
        """Yield the nodes of the statement, without those in its body."""
        if self.statement is None:
            return
        for name, value in ast.iter_fields(self.statement):
            if name in ("body", "orelse", "finalbody", "handlers", "cases"):
                continue
            for node in value if isinstance(value, list) else [value]:
                if isinstance(node, ast.AST):
                    yield from ast.walk(node)

    @property
    def _statement(self) -> int:
        return next((index for index, node in enumerate(self.nodes) if isinstance(node, ast.stmt)), 0)


def call_name(node: ast.AST) -> str:
    """Name of what a call calls, such as `torch.where`, or `.item` for a method of a value; empty if it is no call."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        text = ast.unparse(node.func)
        return (
            text
            if text.replace(".", "").isidentifier() and text.startswith(("torch", "np", "numpy", "math"))
            else f".{node.func.attr}"
        )
    return node.func.id if isinstance(node.func, ast.Name) else ""


def syntax_at(
    file: str, line: int, end: int | None = None, column: int | None = None, last: int | None = None
) -> Syntax:
    """Syntax of an expression in `file`.

    line, end: its first and last line, from 1. column, last: its first byte and the byte behind it, in those lines,
    from 0. Without `end`, `column` and `last` it is the whole statement of the line.
    """
    tree = _tree(file)
    if tree is None:
        return Syntax()
    if end is None or column is None or last is None:
        nodes = _around(tree, (line, 0), (line, 0), whole=False)
        first = next((index for index, node in enumerate(nodes) if isinstance(node, ast.stmt)), 0)
        return Syntax(tuple(nodes[first:]))
    return Syntax(tuple(_around(tree, (line, column), (end, last), whole=True)))


@lru_cache(maxsize=16)
def _tree(file: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None


def _around(tree: ast.AST, start: tuple[int, int], stop: tuple[int, int], whole: bool) -> list[ast.AST]:
    """Nodes that cover a range of the file, innermost first. whole: compare columns too, not lines alone."""
    nodes: list[ast.AST] = [tree]
    while True:
        child = next((node for node in _positioned(nodes[0]) if _covers(node, start, stop, whole)), None)
        if child is None:
            return nodes
        nodes.insert(0, child)


def _positioned(node: ast.AST) -> Iterator[ast.AST]:
    """Children with a position; those of children without one, such as the parts of a comprehension."""
    for child in ast.iter_child_nodes(node):
        if hasattr(child, "lineno"):
            yield child
        else:
            yield from _positioned(child)


def _covers(node: ast.AST, start: tuple[int, int], stop: tuple[int, int], whole: bool) -> bool:
    begin = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
    end = (getattr(node, "end_lineno", 0) or 0, getattr(node, "end_col_offset", 0) or 0)
    if whole:
        return begin <= start and stop <= end
    return begin[0] <= start[0] and stop[0] <= end[0]
