"""Arrays: columns on disk, samples and batches of them, and a model's inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RunnerError
from .lengths import LENGTHS
from .manifest import ModelTensor
from .sample_shapes import shape_at

Array = npt.NDArray[Any]
Call = Callable[[Sequence[Array]], list[Array]]
"""A loaded model: from inputs [1, …] to outputs [1, …], both in the signature's order."""

CYCLED_BYTES = 16 << 20
"""Largest size in bytes of the samples that a timing loop cycles through.

They are held in memory, and count in its peak: a bound that small devices bear.
"""


def read_columns(folder: Path, tensors: Sequence[ModelTensor], timed: bool = False) -> list[Column]:
    """Map one array [N, …] a tensor from `folder/<name>.npy`: its pages are read when they are used.

    timed: arrays are of sequences, [N, T, …]. Raises RunnerError (data) if one is missing, empty, of another dtype or
    shape, or longer than the others.
    """
    columns: list[Column] = [
        _read_column(folder / f"{tensor.name}.npy", tensor, 2 if timed else 1) for tensor in tensors
    ]
    if timed and len({np.shape(column)[:2] for column in columns}) > 1:
        raise RunnerError("data", f"the arrays in '{folder}' have different lengths")
    for i, tensor in enumerate(tensors):
        paths = [folder / f"{axis.length}{LENGTHS}.npy" for axis in tensor.free]
        # Outputs have no columns of lengths: they stay padded.
        if paths and all(path.is_file() for path in paths):
            lengths = [_read_lengths(path, columns[i], axis.axis) for path, axis in zip(paths, tensor.free)]
            columns[i] = RaggedColumn(columns[i], tensor, lengths)
    if len({len(column) for column in columns}) > 1:
        raise RunnerError("data", f"the arrays in '{folder}' have different lengths")
    return columns


class RaggedColumn:
    """Column of samples of free lengths: padded on disk, [N, …], and cut to its lengths when a sample is taken."""

    def __init__(self, array: Array, tensor: ModelTensor, lengths: Sequence[Array]) -> None:
        self.array, self.tensor, self.lengths = array, tensor, lengths
        self.nbytes, self.shape = array.nbytes, array.shape

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, key: Any) -> Array:
        """One sample, [1, …], by a slice or a list of one index; several have no common shape."""
        rows = self.array[key]
        if len(rows) != 1:
            raise RunnerError("data", f"'{self.tensor.name}' has a free length: its samples cannot be batched")
        cut = [slice(None)] * rows.ndim
        for axis, lengths in zip(self.tensor.free, self.lengths):
            cut[axis.axis] = slice(int(lengths[key][0]))
        sample: Array = rows[tuple(cut)]
        return sample


Column = Any
"""Array [N, …], or a RaggedColumn."""


def row(columns: Sequence[Column], i: int) -> list[Array]:
    """Copy the i-th sample into memory, with a batch axis: one array [1, …] a column."""
    return [np.array(column[i : i + 1]) for column in columns]


def cycled(columns: Sequence[Column]) -> list[list[Array]]:
    """Load the first samples, each as `row` does: as many as `CYCLED_BYTES` hold, and at least one."""
    sample_bytes = sum(column.nbytes // len(column) for column in columns)
    count = max(1, min(len(columns[0]), CYCLED_BYTES // max(1, sample_bytes)))
    return [row(columns, i) for i in range(count)]


def batches(columns: Sequence[Column], size: int) -> list[list[Array]]:
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


def empty_columns(tensors: Sequence[ModelTensor], count: int, lengths: Mapping[str, int]) -> list[Array]:
    """Make one array [count, …] a tensor. A free axis has its length at `lengths`, and is 0 until it is written."""
    return [
        np.full((count, *shape_at(tensor, lengths)[1:]), tensor.zero_point if tensor.scale else 0, tensor.dtype)
        if tensor.free
        else np.empty((count, *tensor.shape[1:]), tensor.dtype)
        for tensor in tensors
    ]


def check_outputs(outputs: Sequence[Array], tensors: Sequence[ModelTensor], lengths: Mapping[str, int]) -> None:
    """Raise RunnerError (run) unless the outputs have the dtypes of the manifest, and its shapes at `lengths`."""
    actual = [f"{output.dtype}{list(output.shape)}" for output in outputs]
    stated = [f"{tensor.dtype}{list(shape_at(tensor, lengths))}" for tensor in tensors]
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
    if column.dtype != np.dtype(tensor.dtype) or not _fits(column.shape[axes:], tensor) or not column.size:
        stated = f"{tensor.dtype}{[*'NT'[:axes], *tensor.shape[1:]]}".replace("'", "")
        raise RunnerError("data", f"'{path}' is {column.dtype}{list(column.shape)}, the model takes {stated}")
    return column


def read_raw(path: Path) -> Array:
    """Read one raw sample. Raises RunnerError (data)."""
    try:
        array: Array = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy evaluates the header as Python
        raise RunnerError("data", f"'{path}' cannot be read: {type(error).__name__}: {error}") from error
    return array


def _fits(sizes: tuple[int, ...], tensor: ModelTensor) -> bool:
    """Tell whether a sample has the sizes of a tensor, and at most its length where that is free."""
    free = {axis.axis - 1 for axis in tensor.free}
    stated = tensor.shape[1:]
    return len(sizes) == len(stated) and all(
        size == whole or (i in free and 0 < size <= whole) for i, (size, whole) in enumerate(zip(sizes, stated))
    )


def _read_lengths(path: Path, column: Array, axis: int) -> Array:
    try:
        lengths: Array = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy evaluates the header as Python
        raise RunnerError("data", f"'{path}' cannot be read: {type(error).__name__}: {error}") from error
    if lengths.dtype != np.int64 or lengths.shape != (len(column),):
        raise RunnerError("data", f"'{path}' is {lengths.dtype}{list(lengths.shape)}, not a length for each sample")
    if lengths.min() < 1 or lengths.max() > column.shape[axis]:
        raise RunnerError("data", f"'{path}' has lengths {lengths.min()} to {lengths.max()} of {column.shape[axis]}")
    return lengths
