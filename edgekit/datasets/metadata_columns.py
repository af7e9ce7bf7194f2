"""Columns of metadata that `[data] evaluation` names as slices, read from beside the samples."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.datasets.folders import ClassFolders
from edgekit.datasets.metadata import typed_column
from edgekit.datasets.unlabelled_files import UnlabelledFiles
from edgekit.errors import DataError, EdgekitError, MissingExtra, suggest
from edgekit.errors.extras import extra_hint
from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted
from edgekit.specs.factory import RAISED, in_a_line, place, resolve
from edgekit.specs.project import DataSet
from edgekit.untrusted.npy import DAMAGED, read_npz
from edgekit.untrusted.sanitize import line

TABLE = "metadata.csv"
FILE_NAME = "file_name"
"""Column of `metadata.csv` with the path of a sample's file, in the folder of the data set."""


NAMED = 3
"""Names of files that a remark lists."""


@dataclass(frozen=True)
class StatedColumns:
    """Columns of a data set by which it is sliced, float64 [N] or str [N] by name, and remarks on what was ignored."""

    columns: Mapping[str, Array]
    remarks: tuple[str, ...] = ()


def stated_columns(declared: DataSet, names: Sequence[str], root: Path, source: Any, where: str) -> StatedColumns:
    """Columns `names` of the whole data set, in the order of its samples.

    From arrays of a `.npz`, columns of Parquet, `metadata.csv` of a folder, or the attribute `metadata` of a loader's
    data set, a mapping. root: folder of the project. Raises DataError if a column is missing or has not one value a
    sample, MissingExtra.
    """
    remarks: tuple[str, ...] = ()
    if declared.loader:
        columns, origin = _of_loader(source, where), f"'{declared.loader}'"
    else:
        path = (root / str(declared.path)).resolve()
        if path.is_dir():
            file, files = _table_of(path, where), _relative_files(source, path)
            lines = _lines(file, files, where)
            columns, origin, remarks = _by_file(lines, files), f"'{file.name}'", _ignored(file, lines, files, where)
        else:
            columns, origin = _of_file(path, names, where), f"'{path.name}'"
    lacking = [name for name in names if name not in columns]
    if lacking:
        known = sorted(columns)
        raise DataError(
            f"the {where}: {origin} has no column '{lacking[0]}', by which [data] evaluation slices",
            hint=suggest(lacking[0], known, f"it has: {', '.join(known) or 'none'}"),
        )
    return StatedColumns(
        {name: typed_column(name, columns[name], len(source), f"the {where}") for name in names}, remarks
    )


def computed_columns(
    factory: str, root: Path, inputs: Mapping[str, Array], labels: Array, where: str
) -> dict[str, Array]:
    """Columns that a function of the project computes of the samples: `slices(inputs, labels) -> {name: [N]}`.

    inputs: arrays [N, …] by name, as the artifact takes them. Raises DataError if it fails or gives no such columns.
    """
    try:
        columns = resolve(factory, root)(dict(inputs), labels)
    except EdgekitError:
        raise
    except RAISED as error:
        raise DataError(
            f"the {where}: '{factory}' failed{place(error, root)}: {in_a_line(error)}",
            hint="it takes the inputs by name, arrays [N, …], and the labels; try it alone in Python",
        ) from error
    if not isinstance(columns, Mapping) or not columns:
        raise DataError(
            f"the {where}: '{factory}' gives {type(columns).__name__}, not columns by name",
            hint='return {"light": values} with one value a sample',
        )
    return {
        str(name): typed_column(str(name), values, len(labels), f"the {where}: '{factory}'")
        for name, values in columns.items()
    }


def _of_loader(source: Any, where: str) -> Mapping[str, Any]:
    stated = getattr(source, "metadata", None)
    if not isinstance(stated, Mapping):
        raise DataError(
            f"the {where} has no attribute 'metadata', of which [data] evaluation slices",
            hint='give the data set one: {"light": values}, one value a sample; or slices = "data.py:function"',
        )
    return stated


def _of_file(path: Path, names: Sequence[str], where: str) -> Mapping[str, Any]:
    """Columns of a `.npz` or of Parquet; of the latter also the names that were not looked for, without values."""
    if path.suffix == ".npz":
        try:
            return read_npz(path, names=names)
        except DAMAGED as error:
            raise DataError(f"the {where}: '{path.name}' cannot be read: {error}") from error
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingExtra("reading Parquet needs pyarrow", hint=extra_hint("parquet")) from error
    known = parquet.read_schema(path).names
    table = parquet.read_table(path, columns=[name for name in names if name in known])
    return {name: table[name].to_pylist() if name in names else [] for name in known}


def _table_of(folder: Path, where: str) -> Path:
    """Path of `metadata.csv` in the folder of the data set, or beside it. Raises DataError if there is none."""
    for file in (folder / TABLE, folder.parent / TABLE):
        if file.is_file():
            return file
    raise DataError(
        f"the {where}: there is no '{TABLE}' in '{folder.name}', which [data] evaluation slices by",
        hint=f"a line a file, with its path in '{folder.name}': {FILE_NAME},light",
    )


def _relative_files(source: ClassFolders | UnlabelledFiles, root: Path) -> list[str]:
    paths = [path for path, _ in source.files] if isinstance(source, ClassFolders) else source.files
    return [path.relative_to(root).as_posix() for path in paths]


def _lines(file: Path, files: Sequence[str], where: str) -> dict[str, dict[str, str | None]]:
    """Lines of `metadata.csv`, values by column, by the file that they name. Raises DataError if no line is of one."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            header, rows = list(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"the {where}: '{file.name}' cannot be read: {error}", hint="save it as CSV in UTF-8"
        ) from error
    if FILE_NAME not in header:
        raise DataError(
            f"the {where}: '{file.name}' has no column '{FILE_NAME}'",
            hint=f"its first line names the columns: {FILE_NAME},light; it has: {', '.join(header) or 'nothing'}",
        )
    twice = [name for name, n in Counter(row[FILE_NAME] for row in rows).items() if n > 1]
    if twice:
        raise DataError(f"the {where}: '{file.name}' has two lines of '{twice[0]}'", hint="one line a file")
    lines = {row[FILE_NAME]: row for row in rows}
    if not lines.keys() & set(files):
        raise DataError(
            f"the {where}: no line of '{file.name}' is of one of its {counted(len(files), 'file')}",
            hint=f"'{FILE_NAME}' is the path in the folder, such as '{files[0]}'",
        )
    return lines


def _by_file(lines: Mapping[str, Mapping[str, str | None]], files: Sequence[str]) -> dict[str, list[Any]]:
    """Columns in the order of `files`; None where a file has no line, or the line no value."""
    columns = [name for name in next(iter(lines.values())) if name and name != FILE_NAME]
    return {name: _numbers([lines.get(path, {}).get(name) for path in files]) for name in columns}


def _ignored(file: Path, lines: Iterable[str], files: Sequence[str], where: str) -> tuple[str, ...]:
    """Sentence on the lines that are of no file of the set; none where each is of one."""
    known, named = set(files), list(lines)
    strange = [line(name or "", 60) for name in named if name not in known]
    if not strange:
        return ()
    some = ", ".join(f"'{name}'" for name in strange[:NAMED]) + (", …" if len(strange) > NAMED else "")
    verb = "is" if len(strange) == 1 else "are"
    return (
        f"{len(strange):,} of {len(named):,} lines of '{file.name}' {verb} of no file of the {where}, "
        f"and ignored: {some}.",
    )


def _numbers(texts: Sequence[str | None]) -> list[Any]:
    """Values of a CSV column: numbers if all that are there are numbers, else texts."""
    present = [text for text in texts if text]
    try:
        values = {text: float(text) for text in present}
    except ValueError:
        return list(texts)
    return [values.get(text, np.nan) if text else None for text in texts]
