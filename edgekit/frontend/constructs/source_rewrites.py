"""Rewrites of the user's own lines: the same computation with torch's functions, as text."""

from __future__ import annotations

import ast

from edgekit.frontend.constructs.construct import CaptureFailure
from edgekit.frontend.constructs.syntax import call_name

LONGEST = 100
"""Characters of the longest rewrite that is shown: a longer one is not read."""
LOGIC: dict[type[ast.boolop], ast.operator] = {ast.And: ast.BitAnd(), ast.Or: ast.BitOr()}


class _Logic(ast.NodeTransformer):
    """Python's `and`, `or` and `not` as `&`, `|` and `~`, which take tensors; `float(t)` and `t.item()` as `t`."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        values = [self.visit(value) for value in node.values]
        result = values[0]
        for value in values[1:]:
            result = ast.BinOp(result, LOGIC[type(node.op)], value)
        return result  # type: ignore[no-any-return]

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        return ast.UnaryOp(ast.Invert() if isinstance(node.op, ast.Not) else node.op, operand)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in ("float", "bool") and len(node.args) == 1:
            return node.args[0]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "item" and not node.args:
            return node.func.value
        return node


def on_tensors(node: ast.AST) -> str:
    """Source of an expression in which every value stays a tensor."""
    # Parsed again: the tree is shared with later readers.
    return ast.unparse(ast.fix_missing_locations(_Logic().visit(ast.parse(ast.unparse(node), mode="eval"))))


def selection(failure: CaptureFailure) -> str:
    """`torch.where(…)` for a conditional expression, or for an `if` that only returns or assigns one value."""
    for node in failure.syntax.path:
        if isinstance(node, ast.IfExp):
            return _short(_where(node.test, node.body, node.orelse))
        if isinstance(node, ast.If):
            return _short(_statement(failure, node))
    return ""


def values_kept(failure: CaptureFailure) -> str:
    """The statement without `float()`, `bool()` and `.item()`, if it assigns or returns arithmetic on the value."""
    statement, between = failure.syntax.statement, failure.syntax.path[1:-1]
    if not isinstance(statement, ast.Assign | ast.Return) or statement.value is None:
        return ""
    if not all(isinstance(node, ast.BinOp | ast.UnaryOp) for node in between):
        return ""  # a function that takes the number may take no tensor
    value = on_tensors(statement.value)
    if value == ast.unparse(statement.value):
        return ""
    if isinstance(statement, ast.Return):
        return _short(f"return {value}")
    return _short(f"{ast.unparse(statement.targets[0])} = {value}")


def _where(test: ast.expr, one: ast.expr, other: ast.expr) -> str:
    if any(isinstance(side, ast.Constant | ast.Tuple | ast.List) for side in (one, other)) or not _is_condition(test):
        return ""  # torch.where wants a tensor of bools, and two tensors of one shape
    return f"torch.where({on_tensors(test)}, {ast.unparse(one)}, {ast.unparse(other)})"


def _statement(failure: CaptureFailure, node: ast.If) -> str:
    if len(node.body) != 1 or len(node.orelse) > 1:
        return ""
    body, other = node.body[0], node.orelse[0] if node.orelse else _next(failure, node)
    if isinstance(body, ast.Return) and isinstance(other, ast.Return) and body.value and other.value:
        choice = _where(node.test, body.value, other.value)
        return f"return {choice}" if choice else ""
    if isinstance(body, ast.Assign) and isinstance(body.targets[0], ast.Name):
        target = body.targets[0]
        same = isinstance(other, ast.Assign) and ast.unparse(other.targets[0]) == target.id and node.orelse
        choice = _where(node.test, body.value, other.value if same and isinstance(other, ast.Assign) else target)
        return f"{target.id} = {choice}" if choice and (same or not node.orelse) else ""
    return ""


def _is_condition(test: ast.expr) -> bool:
    """True for comparisons with the result of a method or function, `.any()`, `.all()`, and what joins them.

    A comparison of a plain name is none: its value may have left the tensors in an earlier line.
    """
    if isinstance(test, ast.BoolOp):
        return all(map(_is_condition, test.values))
    if isinstance(test, ast.UnaryOp):
        return isinstance(test.op, ast.Not) and _is_condition(test.operand)
    if isinstance(test, ast.Compare):
        simple = len(test.ops) == 1 and not isinstance(test.ops[0], ast.In | ast.NotIn | ast.Is | ast.IsNot)
        return simple and any(call_name(part) not in ("", ".item", "len") for part in ast.walk(test))
    return call_name(test) in (".any", ".all", "torch.any", "torch.all")


def _next(failure: CaptureFailure, node: ast.If) -> ast.stmt | None:
    """Statement behind `node` in the same block."""
    for parent in failure.syntax.enclosing:
        body = getattr(parent, "body", None)
        if isinstance(body, list) and node in body:
            rest = body[body.index(node) + 1 :]
            return rest[0] if rest else None
    return None


def _short(text: str) -> str:
    return text if len(text) <= LONGEST and "\n" not in text else ""
