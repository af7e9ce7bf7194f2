"""Grids of detectors: the cells of all levels in the order of a network's rows, and maps flattened to these rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.decoders.decoder import Size
from edgekit.tasks.task import Outputs, shape_text


class Cells(NamedTuple):
    """Cells of all levels, one row each; with anchors, one row for each anchor of a cell."""

    places: Array
    """float64 [A, 2]: column and row on the map of its level."""
    strides: Array
    """float64 [A, 1], in pixels."""
    levels: Array
    """int64 [A]"""
    anchors: Array
    """int64 [A]: index of the anchor among those of its cell."""


def map_sizes(size: Size, strides: Sequence[int]) -> list[Size]:
    """Height and width of each level's map: the input's, divided by the stride and rounded up."""
    return [(-(-size[0] // stride), -(-size[1] // stride)) for stride in strides]


def cells(size: Size, strides: Sequence[int], anchors: Sequence[int] | None = None, planes: bool = False) -> Cells:
    """Cells level by level, row by row, column by column.

    anchors: number of anchors of a cell, for each level; None for one. planes: the maps of a level's anchors follow
    each other whole (YOLO), instead of the anchors of each cell (SSD).
    """
    parts = []
    for level, ((height, width), stride) in enumerate(zip(map_sizes(size, strides), strides, strict=True)):
        count = anchors[level] if anchors else 1
        if planes:
            anchor, row, column = np.indices((count, height, width)).reshape(3, -1)
        else:
            row, column, anchor = np.indices((height, width, count)).reshape(3, -1)
        rows = len(row)
        places = np.stack([column, row], axis=1).astype(np.float64)
        parts.append((places, np.full((rows, 1), float(stride)), np.full(rows, level), anchor))
    places, steps, levels, anchor = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Cells(places, steps, levels, anchor)


def flattened(outputs: Outputs, size: Size, strides: Sequence[int], anchors: int = 1) -> Array:
    """Flatten a network's outputs to rows of cells: [N, A, channels], in the order of `cells(…, planes=True)`.

    Takes rows [N, A, channels] or [N, channels, A]; or maps of the levels, [N, anchors * channels, height, width] or
    [N, anchors, height, width, channels]. Several outputs of one level, or of all, are joined by their channels, in the
    model's order. Raises DataError.
    """
    sizes = map_sizes(size, strides)
    count = anchors * sum(height * width for height, width in sizes)
    if all(array.ndim == 3 for array in outputs.values()):
        return np.concatenate([_rows(array, count, outputs, size, strides) for array in outputs.values()], axis=2)
    planes = [_planes(array, anchors) for array in outputs.values()]
    if any(plane is None or plane.shape[2:4] not in sizes for plane in planes):
        raise _unfit(outputs, size, strides, count)
    levels = []
    for height, width in sizes:
        own = [plane for plane in planes if plane is not None and plane.shape[2:4] == (height, width)]
        if not own:
            raise _unfit(outputs, size, strides, count)
        joined = np.concatenate(own, axis=4)
        levels.append(joined.reshape(len(joined), anchors * height * width, -1))
    if len({level.shape[2] for level in levels}) > 1:
        raise _unfit(outputs, size, strides, count)
    return np.concatenate(levels, axis=1)


def _rows(array: Array, count: int, outputs: Outputs, size: Size, strides: Sequence[int]) -> Array:
    if array.shape[1] == count:
        return array
    if array.shape[2] == count:
        return array.transpose(0, 2, 1)
    raise _unfit(outputs, size, strides, count)


def _planes(array: Array, anchors: int) -> Array | None:
    """Maps [N, anchors, height, width, channels]; None if they are of another form."""
    if array.ndim == 5 and array.shape[1] == anchors:
        return array
    if array.ndim != 4 or array.shape[1] % anchors:
        return None
    count, channels, height, width = array.shape
    return array.reshape(count, anchors, channels // anchors, height, width).transpose(0, 1, 3, 4, 2)


def _unfit(outputs: Outputs, size: Size, strides: Sequence[int], count: int) -> DataError:
    maps = ", ".join(f"{height}x{width}" for height, width in map_sizes(size, strides))
    return DataError(
        f"outputs {shape_text(outputs)} do not fit strides {list(strides)} of {size[0]}x{size[1]} pixels, which make "
        f"{count} rows, or maps of {maps}",
        hint="[task] size is [height, width] of the input; [task.decoder] strides and anchors are the network's",
    )
