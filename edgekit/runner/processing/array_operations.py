"""Operations that an array function may call: functions and methods of numpy, each with a bound of what it takes.

Nothing here opens a file, reads an attribute by name, or makes an array of objects. A bound is computed before numpy is
called: (elements of the result, elementary operations).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..errors import RunnerError

LARGEST = 1 << 25
"""Most elements of an array that a function makes."""
DTYPES: Mapping[str, Any] = MappingProxyType(
    {
        name: np.dtype(name)
        for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
    }
    | {"bool_": np.dtype(bool), "bool": np.dtype(bool)}
)
CONSTANTS: Mapping[str, Any] = MappingProxyType({"pi": math.pi, "e": math.e, "inf": math.inf, "newaxis": None})
WORDS = frozenset({*DTYPES, "constant", "edge", "reflect", "symmetric", "full", "same", "valid"})
"""Texts that may stand in a function: names of dtypes, and modes of `pad` and `convolve`."""
Bound = Callable[..., "tuple[float, float]"]


class Operation(NamedTuple):
    """A function of numpy, the most arguments by position, its keywords, and the bound of what it takes."""

    call: Callable[..., Any]
    most: int
    keywords: tuple[str, ...]
    bound: Bound


def elements(value: Any) -> int:
    """Number of elements of a value, or of all in a list or tuple."""
    if isinstance(value, np.ndarray):
        return int(value.size)
    return sum(map(elements, value)) if isinstance(value, (list, tuple)) else 1


def cast(value: Any, dtype: Any) -> Any:
    """Array of another dtype. Raises RunnerError (data) for reals that integers cannot hold: machines differ there."""
    array = np.asarray(value)
    if np.dtype(dtype).kind in "iu" and array.dtype.kind == "f" and array.size:
        limits, least, most = np.iinfo(dtype), array.min(), array.max()
        # In whole numbers: a float cannot hold the largest int64.
        if not (np.isfinite(least) and np.isfinite(most) and limits.min <= int(least) and int(most) <= limits.max):
            raise RunnerError("data", f"{least:g} to {most:g} do not fit into {np.dtype(dtype)}: np.clip them first")
    if array.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        raise RunnerError("data", "complex numbers have no order and no sign: take np.real or np.abs of them first")
    return array.astype(dtype)


def matched(*values: Any) -> tuple[Any, ...]:
    """Operands of which plain numbers have the dtype that numpy 2 gives them beside arrays, in older versions too."""
    arrays = [value for value in values if isinstance(value, np.ndarray)]
    if not arrays:
        return values
    dtype = np.result_type(*(array.dtype for array in arrays))
    return tuple(value if isinstance(value, np.ndarray) else _number(value, dtype) for value in values)


def _number(value: Any, dtype: Any) -> Any:
    ranks = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}
    if not isinstance(value, (bool, int, float)):
        raise TypeError(f"an operand is a number or an array, not {type(value).__name__}")
    own = np.dtype(type(value) if isinstance(value, bool) else "int64" if isinstance(value, int) else "float64")
    if ranks[own.kind] > ranks[dtype.kind]:
        return np.asarray(value, own)
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        raise RunnerError("data", f"{value} does not fit into {dtype}: make the array a wider one by astype")
    return np.asarray(value, dtype)


def _same(*values: Any, **_: Any) -> tuple[float, float]:
    size = elements(values)
    return size, size


def _broadcast(*values: Any, **_: Any) -> tuple[float, float]:
    size = np.broadcast(*values).size
    return size, size


def _shape(shape: Any, *_: Any, **__: Any) -> tuple[float, float]:
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise TypeError(f"a shape is whole numbers, not {shape}")
    size = math.prod(sizes)
    return size, size


def _broadcast_to(_: Any, shape: Any) -> tuple[float, float]:
    return _shape(shape)


def _arange(*ends: float, **_: Any) -> tuple[float, float]:
    start, stop, step = (0, ends[0], 1) if len(ends) == 1 else (*ends, 1)[:3]
    size = max(0.0, (stop - start) / step)
    return size + 1, size + 1


def _linspace(_: float, __: float, num: int = 50, **___: Any) -> tuple[float, float]:
    return _shape(num)


def _tile(array: Any, reps: Any) -> tuple[float, float]:
    size = elements(array) * _shape(reps)[0]
    return size, size


def _repeat(array: Any, repeats: int, axis: Any = None) -> tuple[float, float]:
    if not isinstance(repeats, int):
        raise TypeError("'repeats' is one whole number")
    return _tile(array, repeats)


def _pad(array: Any, widths: Any, **_: Any) -> tuple[float, float]:
    pairs = np.broadcast_to(np.asarray(widths, np.int64), (np.ndim(array), 2)).tolist()
    size = math.prod(length + max(0, sum(pair)) for length, pair in zip(np.shape(array), pairs))
    return size, size


def _outer(first: Any, second: Any) -> tuple[float, float]:
    size = elements(first) * elements(second)
    return size, size


def _convolve(first: Any, second: Any, *_: Any, **__: Any) -> tuple[float, float]:
    return elements(first) + elements(second), elements(first) * elements(second)


def _product(first: Any, second: Any) -> tuple[float, float]:
    inner = max(1, np.shape(first)[-1])
    rows, columns = elements(first) / inner, elements(second) / inner
    return rows * max(1, columns), rows * max(1, columns) * inner


def _take(array: Any, indices: Any, axis: Any = None) -> tuple[float, float]:
    rest = 1 if axis is None else elements(array) / max(1, np.shape(array)[axis])
    return elements(indices) * rest, elements(array)


def _transform(array: Any, n: Any = None, axis: int = -1) -> tuple[float, float]:
    length = max(1, np.shape(array)[axis])
    wanted = n or length * 2
    size = elements(array) / length * wanted
    return size, size * max(1, math.log2(wanted))


def _quantile(array: Any, q: Any, *_: Any, **__: Any) -> tuple[float, float]:
    size = elements(array) * elements(q)
    return size, size


def _typed(make: Callable[..., Any], place: int = 1) -> Callable[..., Any]:
    """Function of numpy with an argument `dtype`, also at a place; values are cast afterwards and checked."""

    def call(*args: Any, dtype: Any = None, **keywords: Any) -> Any:
        made = make(*args[:place], **keywords)
        wanted = args[place] if len(args) > place else dtype
        return made if wanted is None else cast(made, wanted)

    return call


def _arange_call(*ends: float, dtype: Any = None) -> Any:
    made = np.arange(*ends, dtype=np.int64 if all(isinstance(end, int) for end in ends) else np.float64)
    return made if dtype is None else cast(made, dtype)


def _numbers(call: Callable[..., Any]) -> Callable[..., Any]:
    """Function of Python that takes numbers alone: none iterates over an array."""

    def checked(*values: Any) -> Any:
        if not all(isinstance(value, (bool, int, float)) for value in values):
            raise TypeError("it takes numbers; of arrays, np.min, np.max, np.round and astype")
        return call(*values)

    return checked


def _argsort(array: Any, axis: Any = -1) -> Any:
    # Stable: quick sorts of different machines leave equal values in different orders.
    return np.argsort(array, axis, kind="stable")


def _matching(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: call(*matched(*values))


def _where(condition: Any, first: Any, second: Any) -> Any:
    return np.where(condition, *matched(first, second))


def _clip(array: Any, least: Any, most: Any) -> Any:
    array, least, most = matched(array, -math.inf if least is None else least, math.inf if most is None else most)
    return np.minimum(np.maximum(array, least), most)


def _astype(array: Any, dtype: Any) -> Any:
    return cast(array, dtype)


def _reshape(array: Any, *shape: Any) -> Any:
    return np.reshape(array, shape[0] if len(shape) == 1 else shape)


def _transpose(array: Any, *axes: Any) -> Any:
    return np.transpose(array, axes[0] if len(axes) == 1 and isinstance(axes[0], tuple) else axes or None)


def _named(names: str, most: int, keywords: str = "", bound: Bound = _same) -> dict[str, Operation]:
    """Operations of numpy by name, with one form of arguments."""
    return {name: Operation(_numpy(name), most, tuple(keywords.split()), bound) for name in names.split()}


def _numpy(name: str) -> Callable[..., Any]:
    """Function of numpy. One of a package below it is looked up when it is called: numpy 2 imports those late."""
    if "." not in name:
        call: Callable[..., Any] = getattr(np, name)
        return call
    return lambda *values, **options: operator.attrgetter(name)(np)(*values, **options)


def _own(call: Callable[..., Any], most: int, keywords: str = "", bound: Bound = _same) -> Operation:
    return Operation(call, most, tuple(keywords.split()), bound)


_PAIRS = (
    "add subtract multiply divide true_divide floor_divide mod remainder power maximum minimum hypot arctan2 greater "
    "greater_equal less less_equal equal not_equal logical_and logical_or"
)
METHODS: Mapping[str, Operation] = MappingProxyType(
    {
        **_named("sum mean min max prod any all argmax argmin", 2, "axis keepdims"),
        **_named("std var", 2, "axis ddof keepdims"),
        **_named("cumsum squeeze", 2, "axis"),
        **_named("round", 2, "decimals"),
        **_named("ravel copy", 1),
        **_named("swapaxes", 3),
        **_named("dot", 2, "", _product),
        "flatten": _own(np.ravel, 1),
        "repeat": _own(np.repeat, 3, "axis", _repeat),
        "take": _own(np.take, 3, "axis", _take),
        "clip": _own(_clip, 3),
        "astype": _own(_astype, 2),
        "reshape": _own(_reshape, 8),
        "transpose": _own(_transpose, 8),
    }
)
"""Methods of arrays; the first argument is the array."""
FUNCTIONS: Mapping[str, Operation] = MappingProxyType(
    {name: how for name, how in METHODS.items() if name not in ("flatten", "astype", "reshape", "transpose")}
    | _named(
        "abs absolute exp expm1 log log10 log2 log1p sqrt square sin cos tan tanh arctan floor ceil rint trunc sign "
        "negative isfinite isnan logical_not real imag conj fliplr flipud",
        1,
    )
    | {name: _own(_matching(getattr(np, name)), 2, "", _broadcast) for name in _PAIRS.split()}
    | _named("amin amax", 2, "axis keepdims")
    | _named("median", 2, "axis keepdims")
    | _named("percentile quantile", 3, "axis keepdims", _quantile)
    | _named("sort flip expand_dims", 2, "axis")
    | _named("moveaxis roll", 3, "axis")
    | _named("diff", 2, "axis")
    | _named("concatenate stack", 2, "axis")
    | _named("interp searchsorted digitize", 3)
    | _named("ascontiguousarray nan_to_num", 1)
    | _named("broadcast_to", 2, "", _broadcast_to)
    | _named("tile", 2, "", _tile)
    | _named("outer", 2, "", _outer)
    | _named("convolve", 3, "mode", _convolve)
    | _named("matmul", 2, "", _product)
    | _named("hanning hamming blackman bartlett", 1, "", _shape)
    | _named("fft.fft fft.ifft fft.rfft fft.irfft", 3, "n axis", _transform)
    | {
        "reshape": _own(np.reshape, 2),
        "transpose": _own(np.transpose, 2),
        "argsort": _own(_argsort, 2, "axis"),
        "where": _own(_where, 3, "", _broadcast),
        "pad": _own(np.pad, 3, "mode constant_values", _pad),
        "zeros": _own(_typed(np.zeros), 2, "dtype", _shape),
        "ones": _own(_typed(np.ones), 2, "dtype", _shape),
        "full": _own(_typed(np.full, 2), 3, "dtype", _shape),
        "arange": _own(_arange_call, 3, "dtype", _arange),
        "linspace": _own(_typed(np.linspace, 3), 3, "dtype", _linspace),
        "array": _own(_typed(np.array), 2, "dtype"),
        "asarray": _own(_typed(np.asarray), 2, "dtype"),
        "zeros_like": _own(_typed(np.zeros_like), 2, "dtype"),
        "ones_like": _own(_typed(np.ones_like), 2, "dtype"),
        "full_like": _own(_typed(np.full_like, 2), 3, "dtype"),
    }
    | {name: _own(lambda value, to=dtype: cast(value, to), 1) for name, dtype in DTYPES.items() if name != "bool"}
)
"""Functions of numpy by name, without `np.`; dtypes too, as `np.float32(x)` is a call."""
BUILTINS: Mapping[str, Operation] = MappingProxyType(
    {
        "abs": _own(abs, 1),
        "len": _own(len, 1),
        "float": _own(_numbers(float), 1),
        "int": _own(_numbers(int), 1),
        "round": _own(_numbers(round), 2),
        "min": _own(_numbers(min), 8),
        "max": _own(_numbers(max), 8),
    }
)
"""Functions of Python, for numbers."""
