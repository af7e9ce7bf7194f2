"""Values of array functions: dtypes, sizes, casts that end alike on all machines, and numbers beside arrays."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

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
