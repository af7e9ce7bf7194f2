"""Samples of different lengths in rectangular arrays: padded to the longest one, with a column of lengths beside them.

The column of the free length `t` is `t.length`, int64 [N]. What lies beyond a sample's length is never read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.errors import OutOfRange
from edgekit.ir.measurement import Array
from edgekit.specs.inputs import Input
from edgekit.specs.lengths import FreeSize
from edgekit.specs.project import LENGTHS


def free_axes(spec: Input) -> dict[int, FreeSize]:
    """Free axes of one sample of an input, by number."""
    return {axis: size for axis, size in enumerate(spec.raw_shape) if isinstance(size, FreeSize)}


def fits(array: Array, spec: Input) -> bool:
    """True if a sample has the axes that the project states, of whatever length where they are free."""
    free = free_axes(spec)
    stated = spec.raw_shape
    return array.ndim == len(stated) and all(
        axis in free or size == stated[axis] for axis, size in enumerate(array.shape)
    )


def sample_lengths(sample: Mapping[str, Array], inputs: Mapping[str, Input], where: str) -> dict[str, int]:
    """Free lengths of one sample, by name. Raises OutOfRange if one is outside its range or differs between inputs."""
    lengths: dict[str, tuple[int, str]] = {}
    for name, array in sample.items():
        for axis, size in free_axes(inputs[name]).items():
            actual, stated = array.shape[axis], size.length
            if actual not in stated:
                steps = f" in steps of {stated.step}" if stated.step > 1 else ""
                raise OutOfRange(
                    f"{where}: '{name}' has the length {actual} on axis {axis}, the project states {stated.least} to "
                    f"{stated.most}{steps}",
                    hint=f"leave it out or cut it, or widen '{stated}' under [inputs.{name}]",
                )
            other, first = lengths.setdefault(stated.name, (actual, name))
            if other != actual:
                raise OutOfRange(
                    f"{where}: '{stated.name}' is {other} in '{first}' and {actual} in '{name}'",
                    hint="one name is one length in every input: give each its own name under [inputs]",
                )
    return {name: length for name, (length, _) in lengths.items()}


def masked(sample: Mapping[str, Any], inputs: Mapping[str, Input]) -> dict[str, Any]:
    """Add to a sample the masks that it lacks: 1 everywhere, for nothing is padded yet."""
    complete = dict(sample)
    for name, spec in inputs.items():
        if spec.mask is None or spec.mask in sample or name not in sample:
            continue
        mask = inputs[spec.mask]
        array = np.asarray(sample[name])
        sizes = {size.length.name: array.shape[axis] for axis, size in free_axes(spec).items() if axis < array.ndim}
        shape = [sizes.get(size.length.name, 1) if isinstance(size, FreeSize) else size for size in mask.raw_shape]
        complete[spec.mask] = np.ones(shape, mask.raw_dtype)
    return complete


def stacked(column: Sequence[Array], pad: float) -> Array:
    """Stack arrays of one rank, padded to the longest with `pad`: [N, …]."""
    longest = np.max([array.shape for array in column], axis=0)
    if all(array.shape == tuple(longest) for array in column):
        return np.stack(column)
    padded = np.full((len(column), *longest), pad, column[0].dtype)
    for row, array in zip(padded, column, strict=True):
        row[tuple(map(slice, array.shape))] = array
    return padded


def sample(columns: Mapping[str, Array], inputs: Mapping[str, Input], i: int) -> dict[str, Array]:
    """Sample i of padded columns with a batch axis, [1, …] each, cut to its lengths, by the name of the input."""
    rows = {}
    for name, spec in inputs.items():
        cut = [slice(None)] * (1 + len(spec.raw_shape))
        for axis, size in free_axes(spec).items():
            cut[1 + axis] = slice(int(columns[size.length.name + LENGTHS][i]))
        rows[name] = columns[name][i : i + 1][tuple(cut)]
    return rows


def cut_rows(arrays: Mapping[str, Array], name: str, spec: Input) -> Sequence[Array] | Array:
    """Column `name` of an archive as samples, each cut to its length in an array such as `t.length`, where one is.

    Raises ValueError if there are not as many lengths, or no such lengths.
    """
    column = arrays[name]
    axes = {axis: size.length.name + LENGTHS for axis, size in free_axes(spec).items()}
    axes = {axis: lengths for axis, lengths in axes.items() if lengths in arrays and axis + 1 < column.ndim}
    for lengths in axes.values():
        stated = arrays[lengths]
        if stated.shape != (len(column),) or stated.dtype.kind not in "iu":
            raise ValueError(
                f"'{lengths}' is {stated.dtype}{list(stated.shape)}, not a length for each of {len(column)}"
            )
    if not axes:
        return column
    rows = []
    for i, row in enumerate(column):
        ends = [int(arrays[axes[axis]][i]) if axis in axes else size for axis, size in enumerate(row.shape)]
        if any(not 0 <= end <= size for end, size in zip(ends, row.shape, strict=True)):
            raise ValueError(f"sample {i} of '{name}' has {list(row.shape)} values and the lengths {ends}")
        rows.append(row[tuple(map(slice, ends))])
    return rows


def check_vocabulary(array: Array, spec: Input, where: str) -> None:
    """Raise OutOfRange if a sample holds a token that the input's vocabulary has not."""
    if spec.vocabulary is None or not array.size:
        return
    least, most = int(array.min()), int(array.max())
    if least < 0 or most >= spec.vocabulary:
        raise OutOfRange(
            f"{where} holds the token {least if least < 0 else most}, the vocabulary has 0 to {spec.vocabulary - 1}",
            hint="the data set was made with another tokenizer, or 'vocabulary' under [inputs] is too small",
        )
