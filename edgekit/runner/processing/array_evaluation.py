"""Evaluation of the statements of an array function: its syntax tree is walked, no code of it is ever executed."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import RunnerError
from .array_budget import Budget
from .array_expressions import Expressions
from .array_values import cast

# What numpy raises for values that an operation does not take.
FAILURES = (
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    np.linalg.LinAlgError,
)


class Evaluation:
    """One call of a function: its variables, and what is left of the work it may do."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.variables = dict(variables)
        self.budget = Budget()
        self.expressions = Expressions(self.variables, self.budget)

    def run(self, body: list[ast.stmt]) -> Any:
        """Run statements; the value of the first `return`, None if there was none. Raises RunnerError (data)."""
        try:
            with np.errstate(all="ignore"):
                return self._block(body)
        except FAILURES as error:
            first = (str(error).splitlines() or [""])[0]
            raise RunnerError("data", f"line {self.budget.line}: {type(error).__name__}: {first[:200]}") from error
        except RunnerError as error:
            raise RunnerError("data", f"line {self.budget.line}: {error}") from error

    def _block(self, body: list[ast.stmt]) -> Any:
        for statement in body:
            self.budget.step(statement)
            result = self._statement(statement)
            if result is not None:
                return result
        return None

    def _statement(self, node: ast.stmt) -> Any:
        if isinstance(node, ast.Return):
            return self.expressions.value(node.value)
        if isinstance(node, ast.Assign):
            self._assign(node.targets[0], self.expressions.value(node.value))
        elif isinstance(node, ast.AugAssign):
            self._augment(node)
        elif isinstance(node, ast.If):
            return self._block(node.body if self.expressions.truth(node.test) else node.orelse)
        elif isinstance(node, ast.For):
            return self._loop(node)
        return None

    def _loop(self, node: ast.For) -> Any:
        assert isinstance(node.iter, ast.Call)
        assert isinstance(node.target, ast.Name)
        ends = [self.expressions.value(end) for end in node.iter.args]
        for i in range(*ends):
            self.variables[node.target.id] = i
            result = self._block(node.body)
            if result is not None:
                return result
            self.budget.step(node)
        return None

    def _assign(self, target: ast.AST, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.variables[target.id] = value
            self.budget.hold(self.variables.values())
        elif isinstance(target, ast.Tuple):
            values = self._parts(value, len(target.elts))
            for each, part in zip(target.elts, values):
                self._assign(each, part)
        elif isinstance(target, ast.Subscript):
            array = self.expressions.array(target.value)
            index = self.expressions.index(target.slice)
            array[index] = cast(value, array.dtype)
            self.budget.charge(array.size, array.size)

    def _parts(self, value: Any, count: int) -> list[Any]:
        if not isinstance(value, (tuple, np.ndarray)) or len(value) != count:
            raise TypeError(f"{count} names take a tuple or an array of {count}")
        return [self.budget.checked(part) for part in value]

    def _augment(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Name):
            current = self.expressions.value(ast.Name(target.id, ast.Load()))
            self.variables[target.id] = self.expressions.inplace(current, node)
        elif isinstance(target, ast.Subscript):
            array, index = self.expressions.array(target.value), self.expressions.index(target.slice)
            array[index] = cast(self.expressions.inplace(self.budget.checked(array[index]), node), array.dtype)
