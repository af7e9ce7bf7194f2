"""Bounds of what an operation takes, before numpy is called: (elements of the result, elementary operations)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .array_values import elements


def same_size(*values: Any, **_: Any) -> tuple[float, float]:
    size = elements(values)
    return size, size


def broadcast(*values: Any, **_: Any) -> tuple[float, float]:
    size = np.broadcast(*values).size
    return size, size


def of_shape(shape: Any, *_: Any, **__: Any) -> tuple[float, float]:
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise TypeError(f"a shape is whole numbers, not {shape}")
    size = math.prod(sizes)
    return size, size


def broadcast_to(_: Any, shape: Any) -> tuple[float, float]:
    return of_shape(shape)


def arange(*ends: float, **_: Any) -> tuple[float, float]:
    start, stop, step = (0, ends[0], 1) if len(ends) == 1 else (*ends, 1)[:3]
    size = max(0.0, (stop - start) / step)
    return size + 1, size + 1


def linspace(_: float, __: float, num: int = 50, **___: Any) -> tuple[float, float]:
    return of_shape(num)


def tile(array: Any, reps: Any) -> tuple[float, float]:
    size = elements(array) * of_shape(reps)[0]
    return size, size


def repeat(array: Any, repeats: int, axis: Any = None) -> tuple[float, float]:
    if not isinstance(repeats, int):
        raise TypeError("'repeats' is one whole number")
    return tile(array, repeats)


def pad(array: Any, widths: Any, **_: Any) -> tuple[float, float]:
    pairs = np.broadcast_to(np.asarray(widths, np.int64), (np.ndim(array), 2)).tolist()
    size = math.prod(length + max(0, sum(pair)) for length, pair in zip(np.shape(array), pairs))
    return size, size


def outer(first: Any, second: Any) -> tuple[float, float]:
    size = elements(first) * elements(second)
    return size, size


def convolve(first: Any, second: Any, *_: Any, **__: Any) -> tuple[float, float]:
    return elements(first) + elements(second), elements(first) * elements(second)


def matrix_product(first: Any, second: Any) -> tuple[float, float]:
    inner = max(1, np.shape(first)[-1])
    rows, columns = elements(first) / inner, elements(second) / inner
    return rows * max(1, columns), rows * max(1, columns) * inner


def take(array: Any, indices: Any, axis: Any = None) -> tuple[float, float]:
    rest = 1 if axis is None else elements(array) / max(1, np.shape(array)[axis])
    return elements(indices) * rest, elements(array)


def transform(array: Any, n: Any = None, axis: int = -1) -> tuple[float, float]:
    length = max(1, np.shape(array)[axis])
    wanted = n or length * 2
    size = elements(array) / length * wanted
    return size, size * max(1, math.log2(wanted))


def quantile(array: Any, q: Any, *_: Any, **__: Any) -> tuple[float, float]:
    size = elements(array) * elements(q)
    return size, size
