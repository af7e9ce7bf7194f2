"""Arrays: columns on disk, samples and batches of them, and a model's inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RunnerError
from .manifest import ModelTensor

Array = npt.NDArray[Any]
Call = Callable[[Sequence[Array]], list[Array]]
"""A loaded model: from inputs [1, …] to outputs [1, …], both in the signature's order."""

CYCLED_BYTES = 16 << 20
"""Largest size in bytes of the samples that a timing loop cycles through.

They are held in memory, and count in its peak: a bound that small devices bear.
"""


def read_columns(folder: Path, tensors: Sequence[ModelTensor], timed: bool = False) -> list[Array]:
    """Map one array [N, …] a tensor from `folder/<name>.npy`: its pages are read when they are used.

    timed: arrays are of sequences, [N, T, …]. Raises RunnerError (data) if one is missing, empty, of another dtype or
    shape, or longer than the others.
    """
    columns = [_read_column(folder / f"{tensor.name}.npy", tensor, 2 if timed else 1) for tensor in tensors]
    if len({column.shape[: 2 if timed else 1] for column in columns}) > 1:
        raise RunnerError("data", f"the arrays in '{folder}' have different lengths")
    return columns


def row(columns: Sequence[Array], i: int) -> list[Array]:
    """Copy the i-th sample into memory, with a batch axis: one array [1, …] a column."""
    return [np.array(column[i : i + 1]) for column in columns]


def cycled(columns: Sequence[Array]) -> list[list[Array]]:
    """Load the first samples, each as `row` does: as many as `CYCLED_BYTES` hold, and at least one."""
    sample_bytes = sum(column.nbytes // len(column) for column in columns)
    count = max(1, min(len(columns[0]), CYCLED_BYTES // max(1, sample_bytes)))
    return [row(columns, i) for i in range(count)]


def batches(columns: Sequence[Array], size: int) -> list[list[Array]]:
    """Load the first batches, [size, …] each: as many as `CYCLED_BYTES` hold, and at least one.

    The last one is filled up with the first samples.
    """
    count = len(columns[0])
    batch_bytes = size * sum(column.nbytes // len(column) for column in columns)
    batch_count = max(1, min(-(-count // size), CYCLED_BYTES // max(1, batch_bytes)))
    return [[column[np.arange(i * size, (i + 1) * size) % count] for column in columns] for i in range(batch_count)]


def save(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def empty_columns(tensors: Sequence[ModelTensor], count: int) -> list[Array]:
    return [np.empty((count, *tensor.shape[1:]), tensor.dtype) for tensor in tensors]


def check_outputs(outputs: Sequence[Array], tensors: Sequence[ModelTensor]) -> None:
    """Raise RunnerError (run) unless the outputs have the dtypes and shapes of the manifest."""
    actual = [f"{output.dtype}{list(output.shape)}" for output in outputs]
    stated = [str(tensor) for tensor in tensors]
    if actual != stated:
        raise RunnerError("run", f"the model gives {', '.join(actual)}; its manifest says {', '.join(stated)}")


def real(stored: Array, tensor: ModelTensor) -> Array:
    """Real values of an output: dequantized, float32 [N, …], where it holds quantized integers, else as stored."""
    if tensor.scale is None:
        return stored
    return dequantize(stored, tensor.scale, tensor.zero_point).astype(np.float32)


def dequantize(stored: Array, scale: float, zero_point: int) -> npt.NDArray[np.float64]:
    """Dequantize integers of any shape: scale * (stored - zero_point), in float64."""
    values: npt.NDArray[np.float64] = (stored.astype(np.float64) - zero_point) * scale
    return values


def _read_column(path: Path, tensor: ModelTensor, axes: int) -> Array:
    """Map an array with `axes` axes before those of one sample, or of one step of it."""
    try:
        column: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy evaluates the header as Python
        raise RunnerError("data", f"'{path}' cannot be read: {type(error).__name__}: {error}") from error
    if column.dtype != np.dtype(tensor.dtype) or column.shape[axes:] != tensor.shape[1:] or not column.size:
        stated = f"{tensor.dtype}{[*'NT'[:axes], *tensor.shape[1:]]}".replace("'", "")
        raise RunnerError("data", f"'{path}' is {column.dtype}{list(column.shape)}, the model takes {stated}")
    return column
