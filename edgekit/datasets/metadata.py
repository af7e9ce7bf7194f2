"""Metadata of samples: the name of each on the user's disk, and columns such as its camera or its light.

It stays on the host: neither bundles nor devices hold it, and the digest of the samples is without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.datasets.folders import ClassFolders
from edgekit.datasets.unlabelled_files import UnlabelledFiles
from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.project import DataSet
from edgekit.untrusted.sanitize import line

FILE = "metadata.json"


@dataclass(frozen=True)
class Metadata:
    """Names and columns of N samples, in their order."""

    ids: tuple[str, ...]
    """Name of each sample: a file's path in its folder, or the row of a file, `test.npz[17]`."""
    columns: Mapping[str, Array] = field(default_factory=dict)
    """Columns by name: numbers, float64 [N], NaN where there is none; or texts, str [N], empty where there is none."""
    sizes: Array | None = None
    """Pixels of each picture as its file has them, float64 [N]; None where they are not known."""

    def take(self, indices: Sequence[int] | Array) -> Metadata:
        """Select the rows at `indices`, in that order."""
        columns = {name: column[indices] for name, column in self.columns.items()}
        places = np.arange(len(self.ids))[indices].tolist()
        return Metadata(
            tuple(self.ids[i] for i in places), columns, None if self.sizes is None else self.sizes[indices]
        )

    def save(self, folder: Path) -> None:
        """Write `metadata.json`."""
        document = {
            "ids": self.ids,
            "columns": {name: _listed(column) for name, column in self.columns.items()},
            "sizes": None if self.sizes is None else self.sizes.tolist(),
        }
        (folder / FILE).write_text(json.dumps(document))

    @classmethod
    def read(cls, folder: Path) -> Metadata | None:
        """Read what `save` wrote; None if it wrote nothing."""
        if not (folder / FILE).is_file():
            return None
        document = json.loads((folder / FILE).read_text())
        columns = {name: _array(values) for name, values in document["columns"].items()}
        sizes = document["sizes"]
        return cls(tuple(document["ids"]), columns, None if sizes is None else np.array(sizes, np.float64))


def sample_ids(source: Any, declared: DataSet, chosen: Sequence[int]) -> tuple[str, ...]:
    """Names of the chosen samples of an open data set: files by their path, rows by their number.

    A loader's data set may list its own in `ids`.
    """
    if isinstance(source, ClassFolders):
        return tuple("/".join(source.files[i][0].parts[-2:]) for i in chosen)
    if isinstance(source, UnlabelledFiles):
        return tuple(source.files[i].relative_to(source.root).as_posix() for i in chosen)
    listed = getattr(source, "ids", None) if declared.loader else None
    if isinstance(listed, list | tuple | np.ndarray) and len(listed) == len(source):
        return tuple(str(listed[i]) for i in chosen)
    name = declared.loader or Path(str(declared.path)).name
    return tuple(f"{name}[{i}]" for i in chosen)


def typed_column(name: str, values: Any, count: int, where: str) -> Array:
    """Column of metadata for `count` samples: numbers float64 [N], or texts str [N]. None, NaN and "" are no value.

    Raises DataError, which `where` begins, if there are not as many values, or a value is a list or a table.
    """
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        array = np.empty((0, 0))
    if array.ndim != 1:
        raise DataError(
            f"{where}: '{name}' is no column: it has the shape {list(array.shape)}",
            hint="a slice is by one value a sample: a number, a text, true or false",
        )
    if len(array) != count:
        raise DataError(
            f"{where}: '{name}' has {len(array):,} values for {count:,} samples",
            hint="metadata have one row a sample, in the order of the samples",
        )
    if array.dtype.kind in "iuf":
        return _finite(array.astype(np.float64))
    if array.dtype.kind == "O":
        return _of_objects(name, list(array), where)
    texts = array.astype(str) if array.dtype.kind != "S" else np.char.decode(array, "utf-8", "replace")
    return _texts(texts.tolist())


def _of_objects(name: str, values: list[Any], where: str) -> Array:
    """Column of Python values, of which some are None."""
    present = [value for value in values if value is not None]
    nested = next((value for value in present if isinstance(value, list | dict | tuple | set)), None)
    if nested is not None:
        raise DataError(
            f"{where}: '{name}' holds a {type(nested).__name__}", hint="a slice is by one number or text a sample"
        )
    if present and all(isinstance(value, int | float | np.number) and not _is_flag(value) for value in present):
        return _finite(np.array([np.nan if value is None else value for value in values], np.float64))
    return _texts(["" if value is None else _text(value) for value in values])


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _texts(values: Sequence[str]) -> Array:
    # Names of slices are printed: one line each, and "nan", which text columns have for nothing, is nothing.
    cleaned = [line(value, 60).strip() for value in values]
    return np.array(["" if value.lower() in ("nan", "none") else value for value in cleaned], dtype=np.str_)


def _finite(numbers: Array) -> Array:
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _listed(column: Array) -> list[Any]:
    """Values of a column for JSON, which has no NaN."""
    if column.dtype.kind != "f":
        return [str(value) for value in column.tolist()]
    return [None if value != value else value for value in column.tolist()]


def _array(values: list[Any]) -> Array:
    if any(isinstance(value, str) for value in values):
        return np.array(values, dtype=np.str_)
    return np.array([np.nan if value is None else value for value in values], np.float64)
