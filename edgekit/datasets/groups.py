"""Groups of samples that are not independent, such as the frames of one video: `group` of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted

FOLDER = "folder"
"""Value of `group` of a folder of pictures or recordings: the folder that a file lies in is its group."""
HINT = 'group names an array of the .npz, a column of the Parquet file, an attribute of the loader\'s set, or "folder"'


def group_numbers(values: Any, count: int, name: str, where: str) -> Array:
    """Number the groups of `count` samples, int64 [count], by values that say which samples belong together.

    values: numbers or texts, one a sample. name: `group` as the project states it. Raises DataError if there is not one
    value for each sample.
    """
    listed = np.asarray(values) if not isinstance(values, list | tuple) else _as_array(values)
    if listed.ndim != 1 or len(listed) != count:
        shape = f"has shape {list(listed.shape)}" if listed.ndim != 1 else f"has {counted(len(listed), 'value')}"
        raise DataError(
            f"the {where}: group '{name}' {shape}, one for each of {counted(count, 'sample')} is needed", hint=HINT
        )
    missing = _missing(listed)
    if missing.any():
        raise DataError(
            f"the {where}: group '{name}' is empty for {counted(missing.sum(), 'sample')}, first for sample "
            f"{missing.argmax()}",
            hint="a sample that belongs to no other is a group of its own: give it a value of its own",
        )
    numbers = np.unique(listed, return_inverse=True)[1].reshape(-1).astype(np.int64)
    if count > 1 and not numbers.any():
        raise DataError(
            f"the {where}: all {counted(count, 'sample')} are of one group by '{name}'",
            hint="one group says nothing of others: add samples of other groups, or leave 'group' out",
        )
    return numbers


def folder_names(files: Sequence[Path], root: Path) -> list[str]:
    """Names of the folders, below class folders of `root`, that files lie in; a file beside them is its own group."""
    places = [file.relative_to(root).parts for file in files]
    return ["/".join(parts[1:-1]) if len(parts) > 2 else "/".join(("", *parts)) for parts in places]


def _as_array(values: Sequence[Any]) -> Array:
    texts = any(isinstance(value, str) for value in values)
    return np.asarray([None if value is None else str(value) if texts else value for value in values], dtype=object)


def _missing(listed: Array) -> Array:
    """Flags bool [N] of samples without a value: None, or NaN."""
    if listed.dtype.kind == "O":
        return np.asarray([value is None or value != value for value in listed], bool)
    return np.isnan(listed) if listed.dtype.kind == "f" else np.zeros(len(listed), bool)
