"""Array function: preprocessing that a project writes in Python, as text that is checked and never executed.

A small part of Python is known: one function of one array, assignments, arithmetic, comparisons, indices, conditions on
numbers, loops over a range, and the calls that `array_operations` lists. `parse_function` refuses everything else, and
`array_evaluation` can do nothing else: a bundle cannot bring code to a device. Python's compiler is not called.
"""

from __future__ import annotations

import ast
import re
from typing import Any, NamedTuple

import numpy as np

from ..errors import RunnerError
from .array_evaluation import Evaluation
from .array_expressions import ATTRIBUTES, TYPES, dotted, operation_of
from .array_operations import BUILTINS, CONSTANTS, FUNCTIONS, WORDS
from .array_operators import BINARY, COMPARISONS, INPLACE, UNARY
from .array_values import DTYPES

LONGEST = 1 << 13
"""Most characters of a function."""
NODES = 3000
DEEPEST = 40
"""Most expressions and blocks within each other."""
LOOP = 64
"""Most rounds of a loop."""
NESTING = re.compile(r"[-+*/%@&|^~<>=.(\[{:]|\b(?:not|if|and|or|lambda|await)\b")
DENSEST = 1000
"""Most operators and brackets of a line: a line of more could nest so deep that Python's parser runs out of stack."""


class SubsetError(RunnerError):
    """A construct that no array function may have, and its line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__("data", f"line {line}: {text}")
        self.line, self.text = line, text


class ArrayFunction(NamedTuple):
    """A checked function of one array."""

    parameter: str
    body: list[ast.stmt]

    def __call__(self, array: Any) -> Any:
        """Evaluate it: the array, or number, that it returns. Raises RunnerError (data), which names the line."""
        if array.dtype.kind not in "biuf":
            raise RunnerError("data", f"a raw sample is an array of numbers, not of {array.dtype}")
        # A copy: functions may write into their argument.
        result = Evaluation({self.parameter: np.array(array)}).run(self.body)
        if not isinstance(result, (np.ndarray, int, float)):
            raise RunnerError("data", "it ends without the return of an array")
        return np.asarray(result)


def parse_function(source: str) -> ArrayFunction:
    """Parse and check the source of one function. Raises SubsetError, a RunnerError (data), for anything else."""
    tree = parse_source(source)
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
        raise SubsetError(1, "one function is expected, 'def name(array): …'")
    return check_function(tree.body[0])


def parse_source(source: str, longest: int = LONGEST) -> ast.Module:
    """Parse Python, without compiling it. Raises SubsetError for text that is too long, too dense, or no Python."""
    if len(source) > longest:
        raise SubsetError(1, f"it has {len(source):,} characters, more than {longest:,}")
    for number, line in enumerate(source.splitlines(), 1):
        if len(NESTING.findall(line)) > DENSEST:
            raise SubsetError(number, f"the line has more than {DENSEST:,} operators and brackets")
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise SubsetError(error.lineno or 1, f"it is no Python: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SubsetError(1, f"it cannot be parsed: {type(error).__name__}") from error


def check_function(function: ast.FunctionDef) -> ArrayFunction:
    """Check a function's syntax tree. Raises SubsetError at the first construct that it may not have."""
    _check_size(function)
    stated = function.args
    plain = not (stated.posonlyargs or stated.kwonlyargs or stated.vararg or stated.kwarg or stated.defaults)
    if not plain or len(stated.args) != 1:
        raise SubsetError(function.lineno, "it takes one array: def name(array)")
    if function.decorator_list:
        raise SubsetError(function.lineno, "a decorator is not known")
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    names = {stated.args[0].arg} | {
        node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    reserved = sorted(names & {"np", "range", *BUILTINS, *TYPES})
    if reserved:
        raise SubsetError(function.lineno, f"'{reserved[0]}' is a name of Python or numpy: use another one")
    check = _Check(names)
    check.block(body)
    if not any(isinstance(node, ast.Return) for node in ast.walk(function)):
        raise SubsetError(function.lineno, "it returns nothing")
    return ArrayFunction(stated.args[0].arg, body)


def _check_size(function: ast.FunctionDef) -> None:
    """Bound the number of nodes and their depth, without recursion."""
    count, waiting = 0, [(function.lineno, 0, node) for node in ast.iter_child_nodes(function)]
    while waiting:
        line, depth, node = waiting.pop()
        line, count = getattr(node, "lineno", line), count + 1
        if depth > DEEPEST or count > NODES:
            raise SubsetError(line, f"it has more than {NODES:,} parts, or more than {DEEPEST} within each other")
        waiting += [(line, depth + 1, child) for child in ast.iter_child_nodes(node)]


class _Check:
    """Check of statements and expressions; `names` are those that may have a value."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def block(self, body: list[ast.stmt]) -> None:
        for node in body:
            self._statement(node)

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            self._assign(node)
        elif isinstance(node, ast.AugAssign):
            self._known(node, type(node.op) in INPLACE)
            self._target(node.target)
            self.value(node.value)
        elif isinstance(node, ast.Return) and node.value is not None:
            self.value(node.value)
        elif isinstance(node, ast.If):
            self.value(node.test)
            self.block(node.body)
            self.block(node.orelse)
        elif isinstance(node, ast.For):
            self._loop(node)
        else:
            raise SubsetError(node.lineno, f"{_shown(node)} is not known")

    def _assign(self, node: ast.Assign) -> None:
        if len(node.targets) != 1:
            raise SubsetError(node.lineno, "one target at a time: 'a = b = …' is not known")
        self._target(node.targets[0])
        self.value(node.value)

    def _loop(self, node: ast.For) -> None:
        over = node.iter
        ends = over.args if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) else []
        constant = [end.value for end in ends if isinstance(end, ast.Constant) and type(end.value) is int]
        constant = [end for end in constant if end < 1 << 31]
        ranged = isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range"
        if not ranged or not 1 <= len(constant) == len(ends) <= 3 or 0 in constant[2:] or over.keywords:  # type: ignore[attr-defined]
            raise SubsetError(node.lineno, "a loop is over range() of constants: for i in range(3)")
        if len(range(*constant)) > LOOP:
            raise SubsetError(node.lineno, f"a loop has {LOOP} rounds at most")
        if not isinstance(node.target, ast.Name) or node.orelse:
            raise SubsetError(node.lineno, "a loop has one name, and no 'else'")
        self.block(node.body)

    def _target(self, node: ast.AST) -> None:
        if isinstance(node, ast.Tuple):
            for each in node.elts:
                self._target(each)
        elif isinstance(node, ast.Subscript):
            self.value(node.value)
            self._index(node.slice)
        elif not isinstance(node, ast.Name):
            raise SubsetError(node.lineno, f"{_shown(node)} cannot be assigned to")  # type: ignore[attr-defined]

    def value(self, node: ast.AST) -> None:
        """Check an expression."""
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript):
            self.value(node.value)
            return self._index(node.slice)
        if isinstance(node, ast.Constant):
            return self._known(node, _is_constant(node.value))
        if isinstance(node, ast.Name):
            return self._name(node)
        self._known(node, _is_expression(node))
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
        return None

    def _index(self, node: ast.AST) -> None:
        for part in node.elts if isinstance(node, ast.Tuple) else [node]:
            ends = (part.lower, part.upper, part.step) if isinstance(part, ast.Slice) else (part,)
            for end in ends:
                if end is not None:
                    self.value(end)

    def _name(self, node: ast.Name) -> None:
        if node.id not in self.names and node.id not in TYPES:
            raise SubsetError(node.lineno, f"'{node.id}' is no variable of the function")

    def _attribute(self, node: ast.Attribute) -> None:
        name = dotted(node)
        if name is not None:
            if name not in DTYPES and name not in CONSTANTS:
                called = f": call it, np.{name}(…)" if name in FUNCTIONS else ""
                raise SubsetError(node.lineno, f"'np.{name}' is not known as a value{called}")
            return
        if node.attr not in ATTRIBUTES:
            raise SubsetError(node.lineno, f"the attribute '.{node.attr}' is not known; known are {_some(ATTRIBUTES)}")
        self.value(node.value)

    def _call(self, node: ast.Call) -> None:
        try:
            operation = operation_of(node.func)
        except RunnerError:
            raise SubsetError(node.lineno, f"the call of {_shown(node.func)} is not known") from None
        method = dotted(node.func) is None and isinstance(node.func, ast.Attribute)
        if isinstance(node.func, ast.Attribute) and method:
            self.value(node.func.value)
        if any(isinstance(each, ast.Starred) for each in node.args) or len(node.args) + method > operation.most:
            raise SubsetError(node.lineno, f"{_shown(node.func)} takes {operation.most - method} arguments by position")
        for keyword in node.keywords:
            if keyword.arg not in operation.keywords:
                known = _some(operation.keywords) or "none"
                raise SubsetError(node.lineno, f"{_shown(node.func)} takes no '{keyword.arg}' here; keywords: {known}")
            self.value(keyword.value)
        for each in node.args:
            self.value(each)

    def _known(self, node: ast.AST, known: bool) -> None:
        if not known:
            raise SubsetError(getattr(node, "lineno", 1), f"{_shown(node)} is not known")


def _is_constant(value: Any) -> bool:
    if isinstance(value, str):
        return value in WORDS
    if isinstance(value, int):
        return abs(value) < 1 << 63
    return value is None or value is Ellipsis or isinstance(value, float)


def _is_expression(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return type(node.op) in BINARY
    if isinstance(node, ast.UnaryOp):
        return type(node.op) in UNARY
    if isinstance(node, ast.Compare):
        return len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS
    return isinstance(node, (ast.BoolOp, ast.IfExp, ast.Tuple, ast.List))


def _shown(node: ast.AST) -> str:
    """SubsetError in the words of its source where Python can write it: `'np.load'`, `'import os'`."""
    words = {"While": "while", "With": "with", "Try": "try", "FunctionDef": "def", "ClassDef": "class"}
    name = type(node).__name__
    if name in words:
        return f"'{words[name]}'"
    try:
        text = ast.unparse(node).splitlines()[0]
    except (ValueError, AttributeError, RecursionError, IndexError):
        return f"'{name}'"
    return f"'{text[:60]}'"


def _some(names: Any) -> str:
    return ", ".join(sorted(names)[:12])
