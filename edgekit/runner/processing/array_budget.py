"""Budget of one call of an array function: what it may still do, and what a value of it may be."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import RunnerError
from .array_values import LARGEST

WORK = 1 << 31
"""Elementary operations of one call: some seconds."""
STEPS = 20_000
"""Parts of the syntax tree that are evaluated in one call, those of loops as often as they run."""
WHOLE = 1 << 63
"""Whole numbers are below this; Python's own may be of any length."""

HELD = 1 << 30
"""Most bytes of all variables."""
PARTS, DEPTH = 4096, 8
"""Most parts of a tuple, and most tuples within each other."""


class Budget:
    """Steps and elementary operations that are left, and the line that is evaluated."""

    def __init__(self) -> None:
        self.work = float(WORK)
        self.steps = STEPS
        self.line = 0

    def checked(self, value: Any) -> Any:
        """Value that may be bound to a name: an array of numbers, a number, a dtype, a tuple of these."""
        if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
            value = value.item()
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "biufc":
                raise TypeError(f"an array of {value.dtype} is none of numbers")
            self.bound(value.size)
        elif isinstance(value, tuple):
            self._count(value)
        elif isinstance(value, int) and abs(value) >= WHOLE:
            raise OverflowError("a whole number has 63 bits at most")
        elif not (value is None or value is Ellipsis or isinstance(value, (int, float, str, np.dtype))):
            raise TypeError(f"{type(value).__name__} is no array and no number")
        return value

    def _count(self, value: Any) -> None:
        """Bound the parts of a tuple, and their depth: `y = (y, y)` doubles them in no memory at all."""
        count, waiting = 0, [(value, 0)]
        while waiting:
            part, depth = waiting.pop()
            count += 1
            if count > PARTS or depth > DEPTH:
                raise ValueError(f"a tuple has {PARTS:,} parts at most, {DEPTH} within each other")
            if isinstance(part, tuple):
                waiting += [(each, depth + 1) for each in part]
        self.steps -= count // 8

    def hold(self, values: Iterable[Any]) -> None:
        """Bound the memory of all variables: a device has little."""
        if sum(map(_bytes, values)) > HELD:
            raise RunnerError("data", f"its variables take more than {HELD >> 20:,} MB")

    def bound(self, size: float) -> None:
        self.charge(size, size)

    def charge(self, size: float, work: float) -> None:
        if size > LARGEST:
            raise RunnerError("data", f"an array of {size:,.0f} values is larger than {LARGEST >> 20} million")
        self.work -= work
        if self.work < 0:
            raise RunnerError("data", f"it takes more than {WORK >> 20:,} million operations")

    def step(self, node: ast.AST) -> None:
        self.line = getattr(node, "lineno", self.line)
        self.steps -= 1
        if self.steps < 0:
            raise RunnerError("data", f"it takes more than {STEPS:,} steps")


def _bytes(value: Any) -> int:
    if isinstance(value, tuple):
        return sum(map(_bytes, value))
    return value.nbytes if isinstance(value, np.ndarray) else 0
