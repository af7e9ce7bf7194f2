"""Evaluation of the expressions of an array function: only what `array_operations` lists is done."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import RunnerError
from .array_budget import Budget
from .array_operations import BUILTINS, CONSTANTS, FUNCTIONS, METHODS, Operation
from .array_operators import BINARY, COMPARISONS, INPLACE, UNARY
from .array_values import DTYPES, matched

ATTRIBUTES = frozenset({"T", "shape", "ndim", "size", "dtype", "real", "imag"})
TYPES: Mapping[str, Any] = MappingProxyType({name: DTYPES[to] for name, to in (("float", "float64"), ("int", "int64"))})
"""Types of Python that name a dtype, as in `astype(float)`."""


def dotted(node: ast.AST) -> str | None:
    """Name below numpy that an expression stands for, `fft.rfft` for `np.fft.rfft`; None for anything else."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join(reversed(names)) if names and isinstance(node, ast.Name) and node.id == "np" else None


class Expressions:
    """Expressions over the variables of one call; each takes of the budget of the call."""

    def __init__(self, variables: Mapping[str, Any], budget: Budget) -> None:
        self.variables = variables
        self.budget = budget

    def inplace(self, current: Any, node: ast.AugAssign) -> Any:
        value = self.value(node.value)
        if not isinstance(current, np.ndarray):
            return self._binary(type(node.op), current, value)
        self.budget.bound(np.broadcast(current, value).size)
        return INPLACE[type(node.op)](*matched(current, value))

    def value(self, node: ast.AST | None) -> Any:
        assert node is not None
        self.budget.step(node)
        return self.budget.checked(self._evaluated(node))

    def _evaluated(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, (ast.Tuple, ast.List)):
            return tuple(self.value(each) for each in node.elts)
        if isinstance(node, ast.BinOp):
            return self._binary(type(node.op), self.value(node.left), self.value(node.right))
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.BoolOp):
            return self._logic(node)
        if isinstance(node, ast.IfExp):
            return self.value(node.body if self.truth(node.test) else node.orelse)
        if isinstance(node, ast.Subscript):
            return self._item(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        raise RunnerError("data", f"'{type(node).__name__}' cannot be evaluated")

    def _name(self, name: str) -> Any:
        if name in self.variables:
            return self.variables[name]
        if name in TYPES:
            return TYPES[name]
        raise RunnerError("data", f"'{name}' has no value yet")

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not self._scalar(value)
        if isinstance(value, np.ndarray):
            self.budget.bound(value.size)
        elif not isinstance(value, (int, float)):
            raise TypeError(f"an operand is a number or an array, not {type(value).__name__}")
        return UNARY[type(node.op)](value)

    def _binary(self, kind: type, left: Any, right: Any) -> Any:
        if isinstance(left, tuple) and isinstance(right, tuple) and kind is ast.Add:
            self.budget.bound(len(left) + len(right))
            return left + right
        if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
            left, right = matched(left, right)
            if kind is ast.MatMult:
                self.budget.charge(*FUNCTIONS["matmul"].bound(left, right))
            else:
                self.budget.bound(np.broadcast(left, right).size)
        elif not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
            raise TypeError("operands are numbers and arrays")
        elif kind in (ast.Pow, ast.LShift) and isinstance(left, int) and not 0 <= right < 64:
            # Python's whole numbers have any length: such a power could take all memory.
            raise ValueError("an exponent of a whole number is from 0 to 63: write 2.0 in place of 2")
        return BINARY[kind](left, right)

    def _compare(self, node: ast.Compare) -> Any:
        left, right = self.value(node.left), self.value(node.comparators[0])
        if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
            left, right = matched(left, right)
            self.budget.bound(np.broadcast(left, right).size)
        return COMPARISONS[type(node.ops[0])](left, right)

    def _logic(self, node: ast.BoolOp) -> Any:
        value: Any = None
        for each in node.values:
            value = self.value(each)
            if self._scalar(value) is isinstance(node.op, ast.Or):
                break
        return value

    def truth(self, node: ast.AST) -> bool:
        return self._scalar(self.value(node))

    def _scalar(self, value: Any) -> bool:
        if not isinstance(value, (bool, int, float)):
            raise TypeError("a condition is a number or a comparison of numbers: np.where, np.any or np.all for arrays")
        return bool(value)

    def array(self, node: ast.AST) -> Any:
        value = self.value(node)
        if not isinstance(value, np.ndarray):
            raise TypeError(f"an array has items, {type(value).__name__} has none to be set")
        return value

    def _item(self, node: ast.Subscript) -> Any:
        value = self.value(node.value)
        index = self.index(node.slice)
        if isinstance(value, tuple) and isinstance(index, (int, slice)):
            return value[index]
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{type(value).__name__} has no items")
        self.budget.charge(*_selection(value, index))
        return value[index]

    def index(self, node: ast.AST) -> Any:
        self.budget.step(node)
        if isinstance(node, ast.Tuple):
            return tuple(self.index(each) for each in node.elts)
        if isinstance(node, ast.Slice):
            ends = (node.lower, node.upper, node.step)
            return slice(*(None if end is None else self._whole(self.value(end)) for end in ends))
        value = self.value(node)
        if isinstance(value, np.ndarray) and value.dtype.kind not in "biu":
            raise TypeError(f"an index is whole numbers, not {value.dtype}")
        if isinstance(value, tuple):
            raise TypeError("a list of indices is an array: np.array([0, 2])")
        return value

    def _whole(self, value: Any) -> Any:
        if value is not None and not isinstance(value, int):
            raise TypeError("an end of a slice is a whole number")
        return value

    def _attribute(self, node: ast.Attribute) -> Any:
        name = dotted(node)
        if name is not None:
            return DTYPES[name] if name in DTYPES else CONSTANTS[name]
        value = self.value(node.value)
        if not isinstance(value, np.ndarray) or node.attr not in ATTRIBUTES:
            raise TypeError(f"{type(value).__name__} has no '{node.attr}' here")
        return getattr(value, node.attr)

    def _call(self, node: ast.Call) -> Any:
        arguments = [self.value(each) for each in node.args]
        operation = operation_of(node.func)
        if dotted(node.func) is None and isinstance(node.func, ast.Attribute):
            arguments = [self.array(node.func.value), *arguments]
        keywords = {each.arg: self.value(each.value) for each in node.keywords if each.arg in operation.keywords}
        self.budget.charge(*operation.bound(*arguments, **keywords))
        return operation.call(*arguments, **keywords)


def operation_of(node: ast.AST) -> Operation:
    """Operation that is called: of numpy, of Python, or of an array. Raises RunnerError (data) for any other."""
    name = dotted(node)
    if name is not None and name in FUNCTIONS:
        return FUNCTIONS[name]
    if name is None and isinstance(node, ast.Attribute) and node.attr in METHODS:
        return METHODS[node.attr]
    if isinstance(node, ast.Name) and node.id in BUILTINS:
        return BUILTINS[node.id]
    raise RunnerError("data", "it calls what is not in the list of operations")


def _selection(array: Any, index: Any) -> tuple[float, float]:
    """Bound of an indexed part. An array of indices may stand for one axis."""
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [(axis, part) for axis, part in enumerate(parts) if isinstance(part, np.ndarray)]
    if not arrays:
        return 0, 1
    if len(arrays) > 1 or any(part is None or part is Ellipsis for part in parts):
        raise TypeError("one array of indices at a time, beside whole numbers and slices")
    ((axis, part),) = arrays
    if part.dtype.kind == "b":
        return array.size, array.size
    size = array.size / max(1, array.shape[axis]) * part.size
    return size, size
