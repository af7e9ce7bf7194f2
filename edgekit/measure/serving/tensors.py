"""Convert tensors of the Open Inference Protocol to arrays, checked against the metadata before they are read.

https://github.com/kserve/open-inference-protocol, tensor data types; and its extension for binary data, which Triton
began: little-endian values in row-major order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.measure.serving.open_inference import Fault, ServedTensor

NUMPY = {
    "BOOL": "?",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "BF16": "<u2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""NumPy dtypes by the protocol's names. BF16 is the upper half of an FP32, for which NumPy has no dtype."""
NUMBER_CHARS = 40
"""Limit of one number in JSON with its separators: no double takes more than 24 characters."""
HEAD_BYTES = 1 << 20
"""Limit of the bytes of an answer beside its numbers, and of metadata."""
MAX_BYTES = 64 << 20
"""Limit of an answer whatever its metadata states, as the server states that too."""


@dataclass(frozen=True)
class TransferBounds:
    """Limits of the samples in a request and of the bytes in its answer."""

    batch: int
    """Samples in a request, at most."""
    answer_bytes: int
    """Bytes in an answer, at most."""

    @classmethod
    def of(cls, outputs: Sequence[ServedTensor], batch: int, binary: bool) -> TransferBounds:
        """Derive limits from the shapes in the metadata; fewer samples than `batch` if answers would be too large."""
        shapes = [edge.shape[1:] for edge in outputs]
        if any(size < 0 for shape in shapes for size in shape):
            return cls(batch, HEAD_BYTES + MAX_BYTES)
        each = [np.dtype(NUMPY.get(edge.datatype, "<f8")).itemsize if binary else NUMBER_CHARS for edge in outputs]
        row_bytes = max(1, sum(math.prod(shape) * one for shape, one in zip(shapes, each, strict=True)))
        fewer = max(1, min(batch, MAX_BYTES // row_bytes))
        return cls(fewer, HEAD_BYTES + min(MAX_BYTES, fewer * row_bytes))


def check_stated(edge: ServedTensor, datatype: object, shape: Sequence[object]) -> tuple[int, ...]:
    """Check type and shape against the metadata, with any size of the batch axis. Raises Fault; gives the shape."""
    sizes = tuple(size for size in shape if type(size) is int and 0 <= size < 1 << 32)
    fits = len(sizes) == len(shape) == len(edge.shape) and datatype == edge.datatype
    if not fits or any(stated not in (-1, size) for stated, size in zip(edge.shape[1:], sizes[1:], strict=True)):
        raise Fault("invalid", f"'{edge.name}' is {datatype}{list(shape)} in its answer, {edge} in its metadata")
    return sizes


def of_bytes(edge: ServedTensor, shape: tuple[int, ...], raw: bytes | memoryview) -> Array:
    """Read little-endian values in row-major order. Raises Fault if their number is not the shape's."""
    kind = np.dtype(NUMPY[edge.datatype])
    if len(raw) != math.prod(shape) * kind.itemsize:
        raise Fault("invalid", f"'{edge.name}' has {len(raw):,} bytes, {edge.datatype}{list(shape)} has others")
    values = np.frombuffer(raw, kind)
    return (_widened(values) if edge.datatype == "BF16" else values).reshape(shape)


def of_json(edge: ServedTensor, shape: tuple[int, ...], data: Any) -> Array:
    """Read numbers of a JSON document, flat or nested. Raises Fault if they do not fit the datatype or the shape."""
    kind = np.dtype("<f4" if edge.datatype == "BF16" else NUMPY[edge.datatype])
    try:
        values = np.array(data)
        if values.size != math.prod(shape) or values.dtype.kind not in ACCEPTED[kind.kind]:
            raise ValueError("other numbers")
        numbers = values.astype(kind)
        if kind.kind != "f" and not np.array_equal(numbers, values):
            raise ValueError("too large or too small")
        return numbers.reshape(shape)
    except (ValueError, TypeError, OverflowError) as error:
        raise Fault("invalid", f"'{edge.name}' holds no {edge.datatype}{list(shape)}") from error


ACCEPTED = {"b": "biu", "u": "iu", "i": "iu", "f": "fiu"}
"""Kinds of numbers accepted in JSON, by the kind of the tensor."""


def _widened(values: Array) -> Array:
    return (values.astype(np.uint32) << 16).view(np.float32)
