"""Mutation operators: every place of a source that one of them changes, and to what."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr, ast.BitXor: ast.BitOr, ast.MatMult: ast.Mult,
}  # fmt: skip
SENTENCE = re.compile(r"\w \w")
"""Words for people, whatever they are a part of."""
SWAPPED = {ast.Continue: "break", ast.Break: "continue"}


@dataclass(frozen=True)
class Mutant:
    """One change of one source file."""

    start: int
    """Offset in bytes, of UTF-8."""
    end: int
    line: int
    before: str
    after: str

    def applied(self, source: bytes) -> bytes:
        """The source with this change."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def mutants(source: bytes) -> tuple[Mutant, ...]:
    """Every mutant of a source, in the order of its places.

    Not changed: docstrings, annotations, imports, decorators, the text of errors, hints, sentences and f-strings, and
    asserts that something is not None, which are for type checkers.
    The operators are those of Offutt et al. (1996), which suffice for the others, with deletion of statements, and None
    in place of a value.
    """
    tree = ast.parse(source)
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    mutants = []
    for node, after in _walk(tree):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        mutants.append(Mutant(start, end, node.lineno, source[start:end].decode(), after))
    return tuple(
        sorted((one for one in mutants if _compiles(one, source)), key=lambda one: (one.start, one.end, one.after))
    )


def _compiles(mutant: Mutant, source: bytes) -> bool:
    """Tell whether the mutant is Python, and another program."""
    try:
        changed = ast.parse(mutant.applied(source))
    except SyntaxError:
        return False
    return ast.dump(changed) != ast.dump(ast.parse(source))


def _walk(node: ast.AST, text: bool = True) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Each node to replace, and its replacement."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr)) or _is_for_types(node):
        return
    if isinstance(node, (ast.expr, ast.stmt)):
        yield from ((node, after) for after in _replacements(node, text))
    if isinstance(node, ast.Call):
        yield from ((keyword.value, "None") for keyword in node.keywords if _is_value(keyword))
    if isinstance(node, (ast.If, ast.While)):
        yield node.test, f"(not ({ast.unparse(node.test)}))"
    text = text and not isinstance(node, ast.Raise) and not (isinstance(node, ast.keyword) and node.arg == "hint")
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                yield from _walk(child, text)


def _is_value(keyword: ast.keyword) -> bool:
    """Tell whether None in its place is another value: where False is, it mostly means the same."""
    return keyword.arg not in (None, "hint") and not (
        isinstance(keyword.value, ast.Constant) and not keyword.value.value
    )


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_for_types(node: ast.AST) -> bool:
    """Tell whether only a type checker reads the node."""
    match node:
        case ast.If(ast.Name("TYPE_CHECKING")) | ast.Subscript(ast.Name("Literal")):
            return True
        case ast.Assert(ast.Compare(_, [ast.IsNot()], [ast.Constant(None)])):
            return True
    return False


def _replacements(node: ast.expr | ast.stmt, text: bool) -> Iterator[str]:
    match node:
        case ast.Compare(left, [operator], [right]):
            yield _unparsed(ast.Compare(left, [COMPARE[type(operator)]()], [right]))
        case ast.BinOp(left, operator, right):
            yield _unparsed(ast.BinOp(left, ARITHMETIC[type(operator)](), right))
        case ast.BoolOp(operator, values):
            word = " and " if isinstance(operator, ast.Or) else " or "
            yield f"({word.join(f'({ast.unparse(value)})' for value in values)})"
        case ast.UnaryOp(_, operand):
            yield f"({ast.unparse(operand)})"
        case ast.Constant(value):
            yield from _constants(value, text)
        case ast.IfExp(test, body, orelse):
            yield _unparsed(ast.IfExp(test, orelse, body))
        case ast.Return(value) if value is not None:
            yield "return None"
        case ast.AugAssign(target, operator, value):
            yield ast.unparse(ast.AugAssign(target, ARITHMETIC[type(operator)](), value))
        case ast.Expr() | ast.Raise() | ast.Assert():
            yield "pass"
        case ast.Continue() | ast.Break():
            yield SWAPPED[type(node)]


def _unparsed(node: ast.expr) -> str:
    """The source of a whole node: its parts, each by itself, would lose the brackets that they need."""
    return f"({ast.unparse(node)})"


def _constants(value: object, text: bool) -> Iterator[str]:
    match value:
        case bool():
            yield str(not value)
        case int():
            yield str(value + 1)
        case float():
            yield str(value * 2 + 1)
        case str() if text and not SENTENCE.search(value):
            yield repr(f"{value}XX")
        case bytes():
            yield repr(b"XX" + value)  # a field of fixed size may cut the end off
