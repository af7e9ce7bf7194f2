"""Sizes that follow a free length: numbers and lists of numbers, computed from shapes while the network runs.

A graph computes shapes with tensors; torch.export keeps a length free only where they are Python's numbers, which
become symbols. So a `Shape` with a free axis gives a list, and operators that shapes are computed with take and give
numbers (0 axes) and lists (1 axis). Any other operator takes them as tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from edgekit.frontend.onnx_import.operator import DTYPES, GraphValue, OnnxOperator, Step

Sizes = Any
"""Number or list of numbers: int, float, bool, or a symbol of torch."""
OF_FIRST = {"Cast", "Gather", "Slice", "Squeeze", "Unsqueeze", "Reshape", "ReduceProd"}
"""Operators that give a part of their first input, which the others do not change."""
MOST_NUMBERS = 16
"""Limit of the numbers of a constant that goes with sizes; a larger one is data."""


def sizes_step(op: OnnxOperator) -> Step | None:
    """Step of an operator whose inputs are sizes and constants; None if it is another."""
    function = FUNCTIONS.get(op.kind)
    values = [value for value in op.inputs if value is not None]
    if function is None or not all(value.sizes or _is_short(value) for value in values):
        return None
    if op.kind in OF_FIRST and not op.value(0).sizes:
        return None
    fixed = [_numbers(value.example) if value is not None and value.constant else None for value in op.inputs]
    operands = tuple(value for value in values if not value.constant)

    def compute(*sizes: Sizes) -> tuple[Sizes]:
        left = iter(sizes)
        return (function(op, *(next(left) if value is None else value for value in fixed)),)

    return Step(compute, operands, sizes=True)


def shape_step(op: OnnxOperator) -> Step:
    """Step of a `Shape` or `Size` of a tensor that has a free axis."""
    if op.kind == "Size":
        return Step(lambda x: (math.prod(x.shape),), (op.value(0),), sizes=True)
    start, end = op.attribute("start", 0), op.attribute("end")
    return Step(lambda x: (list(x.shape)[start:end],), (op.value(0),), sizes=True)


def as_tensor(sizes: Sizes) -> Tensor:
    """Tensor of sizes, for operators that compute with data."""
    if isinstance(sizes, list):
        return torch.stack([as_tensor(size) for size in sizes])
    dtype = torch.float32 if isinstance(sizes, float | torch.SymFloat) else torch.int64
    return torch.scalar_tensor(sizes, dtype=dtype)


def constant(sizes: Sizes) -> Tensor:
    """Tensor of sizes that are the same at all lengths."""
    return torch.tensor(sizes, dtype=torch.float32 if _floating(sizes) else None)


def _floating(sizes: Sizes) -> bool:
    return any(isinstance(size, float) for size in (sizes if isinstance(sizes, list) else [sizes]))


def _is_short(value: GraphValue) -> bool:
    return value.constant and value.example.dim() < 2 and value.example.numel() <= MOST_NUMBERS


def _numbers(tensor: Tensor) -> Sizes:
    return tensor.tolist()


def _elementwise(function: Callable[..., Any]) -> Callable[..., Sizes]:
    """Function of numbers as one of lists, where a number or a list of one goes with every element."""

    def apply(op: OnnxOperator, *values: Sizes) -> Sizes:
        lists = [value if isinstance(value, list) else [value] for value in values]
        count = max(map(len, lists))
        results = [function(*(each[i if len(each) > 1 else 0] for each in lists)) for i in range(count)]
        return results if any(isinstance(value, list) for value in values) else results[0]

    return apply


def _divide(first: Any, second: Any) -> Any:
    whole = isinstance(first, int | torch.SymInt) and isinstance(second, int | torch.SymInt)
    return first // second if whole else first / second


def _multiply(first: Any, second: Any) -> Any:
    # A scale of 2.0 keeps a size whole, so that torch.export follows it.
    for one, other in ((first, second), (second, first)):
        if isinstance(one, float) and one.is_integer() and isinstance(other, torch.SymInt):
            return int(one) * other
    return first * second


def _cast(op: OnnxOperator, value: Sizes) -> Sizes:
    dtype = DTYPES.get(op.attribute("to"), torch.int64)
    if dtype.is_floating_point:
        # Symbols stay whole: a size as a float is still a size.
        return _mapped(value, lambda size: size if isinstance(size, torch.SymInt) else float(size))
    return _mapped(value, lambda size: size if isinstance(size, torch.SymInt) else math.trunc(size))


def _mapped(value: Sizes, function: Callable[[Any], Any]) -> Sizes:
    return [function(each) for each in value] if isinstance(value, list) else function(value)


def _rounded(function: Callable[[Any], Any]) -> Callable[..., Sizes]:
    return lambda op, value: _mapped(value, lambda size: size if isinstance(size, torch.SymInt) else function(size))


def _gather(op: OnnxOperator, sizes: Sequence[Any], index: Sizes) -> Sizes:
    return _mapped(index, lambda place: sizes[place])


def _slice(
    op: OnnxOperator,
    sizes: list[Any],
    starts: Sizes = None,
    ends: Sizes = None,
    axes: Sizes = None,
    steps: Sizes = None,
) -> Sizes:
    first, last = starts or op.attribute("starts"), ends or op.attribute("ends")
    return sizes[first[0] : last[0] : steps[0] if steps else 1]


def _concat(op: OnnxOperator, *values: Sizes) -> Sizes:
    return [size for value in values for size in value]


def _as_list(op: OnnxOperator, value: Sizes, *axes: Sizes) -> Sizes:
    return value if isinstance(value, list) else [value]


def _squeeze(op: OnnxOperator, value: Sizes, *axes: Sizes) -> Sizes:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _reshape(op: OnnxOperator, value: Sizes, shape: Sizes = None) -> Sizes:
    return _squeeze(op, value) if not (op.attribute("shape") if shape is None else shape) else _as_list(op, value)


def _product(op: OnnxOperator, value: Sizes, *axes: Sizes) -> Sizes:
    product = math.prod(value) if isinstance(value, list) else value
    return [product] if op.attribute("keepdims", 1) else product


FUNCTIONS: dict[str, Callable[..., Sizes]] = {
    "Add": _elementwise(lambda a, b: a + b),
    "Sub": _elementwise(lambda a, b: a - b),
    "Mul": _elementwise(_multiply),
    "Div": _elementwise(_divide),
    "Mod": _elementwise(lambda a, b: a % b),
    "Neg": _elementwise(lambda a: -a),
    "Max": _elementwise(lambda *values: reduce(torch.sym_max, values)),
    "Min": _elementwise(lambda *values: reduce(torch.sym_min, values)),
    "Equal": _elementwise(lambda a, b: a == b),
    "Where": _elementwise(lambda chosen, a, b: a if chosen else b),
    "Floor": _rounded(math.floor),
    "Ceil": _rounded(math.ceil),
    "Cast": _cast,
    "Identity": lambda op, value: value,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Unsqueeze": _as_list,
    "Squeeze": _squeeze,
    "Reshape": _reshape,
    "ReduceProd": _product,
}
"""Function on Python's numbers for each operator that shapes are computed with."""


def size_values(
    op: OnnxOperator, index: int, name: str = ""
) -> tuple[tuple[GraphValue, ...], Callable[..., list[Any]]]:
    """Operands that an input of sizes needs, and a function from them to its numbers, a list.

    name: attribute that older opsets have instead of the input. Raises UnsupportedModelFile if it depends on the data.
    """
    if name and not op.has(index):
        numbers = [int(number) for number in op.attribute(name)]
        return (), lambda: list(numbers)
    value = op.value(index)
    if value.constant:
        numbers = [int(number) for number in value.example.reshape(-1).tolist()]
        return (), lambda: list(numbers)
    if not value.sizes:
        raise op.refused(f"takes '{name or index}' from the data: shapes would change from sample to sample")
    return (value,), lambda sizes: sizes if isinstance(sizes, list) else [sizes]
