"""Operations that an array function may call: functions and methods of numpy, each with a bound of what it takes.

Nothing here opens a file, reads an attribute by name, or makes an array of objects. A bound is computed before numpy is
called, by `array_bounds`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from . import array_bounds
from .array_values import DTYPES, cast, matched

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


def _named(names: str, most: int, keywords: str = "", bound: Bound = array_bounds.same_size) -> dict[str, Operation]:
    """Operations of numpy by name, with one form of arguments."""
    return {name: Operation(_numpy(name), most, tuple(keywords.split()), bound) for name in names.split()}


def _numpy(name: str) -> Callable[..., Any]:
    """Function of numpy. One of a package below it is looked up when it is called: numpy 2 imports those late."""
    if "." not in name:
        call: Callable[..., Any] = getattr(np, name)
        return call
    return lambda *values, **options: operator.attrgetter(name)(np)(*values, **options)


def _own(call: Callable[..., Any], most: int, keywords: str = "", bound: Bound = array_bounds.same_size) -> Operation:
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
        **_named("dot", 2, "", array_bounds.matrix_product),
        "flatten": _own(np.ravel, 1),
        "repeat": _own(np.repeat, 3, "axis", array_bounds.repeat),
        "take": _own(np.take, 3, "axis", array_bounds.take),
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
    | {name: _own(_matching(getattr(np, name)), 2, "", array_bounds.broadcast) for name in _PAIRS.split()}
    | _named("amin amax", 2, "axis keepdims")
    | _named("median", 2, "axis keepdims")
    | _named("percentile quantile", 3, "axis keepdims", array_bounds.quantile)
    | _named("sort flip expand_dims", 2, "axis")
    | _named("moveaxis roll", 3, "axis")
    | _named("diff", 2, "axis")
    | _named("concatenate stack", 2, "axis")
    | _named("interp searchsorted digitize", 3)
    | _named("ascontiguousarray nan_to_num", 1)
    | _named("broadcast_to", 2, "", array_bounds.broadcast_to)
    | _named("tile", 2, "", array_bounds.tile)
    | _named("outer", 2, "", array_bounds.outer)
    | _named("convolve", 3, "mode", array_bounds.convolve)
    | _named("matmul", 2, "", array_bounds.matrix_product)
    | _named("hanning hamming blackman bartlett", 1, "", array_bounds.of_shape)
    | _named("fft.fft fft.ifft fft.rfft fft.irfft", 3, "n axis", array_bounds.transform)
    | {
        "reshape": _own(np.reshape, 2),
        "transpose": _own(np.transpose, 2),
        "argsort": _own(_argsort, 2, "axis"),
        "where": _own(_where, 3, "", array_bounds.broadcast),
        "pad": _own(np.pad, 3, "mode constant_values", array_bounds.pad),
        "zeros": _own(_typed(np.zeros), 2, "dtype", array_bounds.of_shape),
        "ones": _own(_typed(np.ones), 2, "dtype", array_bounds.of_shape),
        "full": _own(_typed(np.full, 2), 3, "dtype", array_bounds.of_shape),
        "arange": _own(_arange_call, 3, "dtype", array_bounds.arange),
        "linspace": _own(_typed(np.linspace, 3), 3, "dtype", array_bounds.linspace),
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
