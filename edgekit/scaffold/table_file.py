"""Tables of samples: CSV files and archives of arrays (`.npz`), and which of their columns are the labels."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.datasets.pictures import SUFFIXES
from edgekit.errors import DataError, ScaffoldError
from edgekit.untrusted.npy import DAMAGED, read_npz

LABELS = ("label", "labels", "class", "classes", "target", "targets", "y", "category", "species", "outcome")
"""Names of columns and arrays that hold labels, the likeliest first."""
MOST_CLASSES = 1000
MOST_ROWS = 1_000_000
SUFFIX_TRAIN, SUFFIX_TEST = "_train", "_test"


@dataclass(frozen=True)
class CsvTable:
    """Rows of a CSV file: numbers, or paths of pictures, and a label."""

    path: Path
    delimiter: str
    features: tuple[str, ...]
    """Columns of numbers; or one, of paths of pictures relative to the file."""
    label: str
    classes: tuple[str, ...]
    """Distinct labels in their order; empty where the label is a number to be told."""
    count: int
    pictures: bool = False
    other: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArrayFile:
    """Arrays of an `.npz`: inputs [N, …], and labels."""

    path: Path
    inputs: tuple[tuple[str, tuple[int, ...], str], ...]
    """Name, shape of one sample and dtype of each input."""
    labels: str
    classes: tuple[str, ...]
    """Numbers of the classes; empty where the labels are no whole numbers."""
    count: int
    training: tuple[str, ...] = ()
    """Names of the training arrays, in the order of the inputs, then the labels; empty where there are none."""
    other: tuple[str, ...] = ()


def table_paths(folder: Path) -> list[Path]:
    """List the tables directly in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in (".csv", ".npz"))


def read_csv(path: Path) -> CsvTable:
    """Read the header and the values of a CSV file. Raises DataError, ScaffoldError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = file.read(1 << 16)
            file.seek(0)
            delimiter = _delimiter(start)
            rows = list(csv.reader(file, delimiter=delimiter))[: MOST_ROWS + 1]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"'{path.name}' cannot be read as CSV: {error}", hint="save it as CSV in UTF-8") from error
    names, rows = (rows[0] if rows else []), [row for row in rows[1:] if row]
    if not rows or len(set(names)) < len(names) or all(_is_number(name) for name in names):
        raise DataError(
            f"'{path.name}' has {len(rows):,} rows below a line of {len(set(names))} distinct names",
            hint="its first line must name the columns, such as: length,width,label",
        )
    ragged = next((i for i, row in enumerate(rows) if len(row) != len(names)), None)
    if ragged is not None:
        raise DataError(
            f"'{path.name}': row {ragged + 2} has {len(rows[ragged])} values, its first line {len(names)} names",
            hint=f"sed -n {ragged + 2}p '{path}'",
        )
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    label = next((name for each in LABELS for name in names if name.strip().lower() == each), names[-1])
    features = [name for name in names if name != label]
    pictures = [name for name in features if all(_is_picture_path(value, path) for value in columns[name])]
    numbers = [name for name in features if all(map(_is_number, columns[name]))]
    if not pictures and not numbers:
        raise DataError(
            f"'{path.name}' has no column of numbers or of paths of pictures", hint="write a loader: docs/data.md"
        )
    used = pictures[:1] or numbers
    left_out = [name for name in features if name not in used]
    other = (f"columns that are not read: {', '.join(left_out)}",) if left_out else ()
    return CsvTable(path, delimiter, tuple(used), label, _classes(columns[label]), len(rows), bool(pictures), other)


def read_arrays(path: Path) -> ArrayFile:
    """Read the arrays of an `.npz`. Raises DataError, ScaffoldError."""
    try:
        arrays = read_npz(path)
    except DAMAGED as error:
        raise DataError(
            f"'{path.name}' cannot be read: {error}", hint="np.savez(FILE, x=inputs, labels=labels)"
        ) from error
    tests = {name: array for name, array in arrays.items() if name.endswith(SUFFIX_TEST)}
    chosen = tests or arrays
    plain = {name.removesuffix(SUFFIX_TEST) if tests else name: name for name in chosen}
    label = next((plain[each] for each in LABELS if each in plain), None)
    if label is None:
        raise ScaffoldError(
            f"'{path.name}' has no array of labels: it has {', '.join(sorted(arrays)) or 'none'}",
            hint="np.savez(FILE, x=inputs, labels=labels)",
        )
    labels = arrays[label]
    inputs = [
        (name, array.shape[1:], str(array.dtype))
        for name, array in chosen.items()
        if name != label and array.ndim and len(array) == len(labels) and array.dtype.kind in "iufb"
    ]
    if not inputs or not len(labels):
        raise DataError(
            f"'{path.name}' has no array of numbers with one row a label", hint="np.savez(FILE, x=…, labels=…)"
        )
    used = [*(name for name, _, _ in inputs), label]
    other = sorted(set(chosen) - set(used))
    whole = labels.ndim == 1 and labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < MOST_CLASSES
    training = tuple(name.removesuffix(SUFFIX_TEST) + SUFFIX_TRAIN for name in used) if tests else ()
    return ArrayFile(
        path,
        tuple(inputs),
        label,
        tuple(map(str, range(int(labels.max()) + 1))) if whole else (),
        len(labels),
        training if set(training) <= arrays.keys() else (),
        (f"arrays that are not read: {', '.join(other)}",) if other else (),
    )


def _delimiter(start: str) -> str:
    line = start.partition("\n")[0]
    return max((",", ";", "\t"), key=line.count)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _is_picture_path(text: str, table: Path) -> bool:
    return Path(text).suffix.lower() in SUFFIXES and (table.parent / text).is_file()


def _classes(values: Any) -> tuple[str, ...]:
    """Distinct values of a column, if they are names or few whole numbers; numbers in the order of their values."""
    distinct = set(values)
    if all(map(_is_number, distinct)):
        whole = all(float(value).is_integer() for value in distinct)
        few = len(distinct) <= max(2, min(MOST_CLASSES, len(values) // 5))
        return tuple(sorted(distinct, key=float)) if whole and few else ()
    return tuple(sorted(distinct)) if len(distinct) <= MOST_CLASSES else ()
