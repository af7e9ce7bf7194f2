"""Open the data that a project names: a loader function, `.npz`, Parquet, or a folder of pictures or recordings."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgekit.datasets.classes import class_names
from edgekit.datasets.file_kind import file_kind
from edgekit.datasets.folders import ClassFolders
from edgekit.datasets.free_lengths import cut_rows, free_axes
from edgekit.datasets.groups import FOLDER, HINT, group_numbers
from edgekit.datasets.pictures import Picture, read_picture
from edgekit.datasets.recordings import SoundRecording, read_recording
from edgekit.datasets.unlabelled_files import UnlabelledFiles
from edgekit.errors import DataError, EdgekitError, MissingExtra, SequenceError
from edgekit.errors.extras import extra_hint
from edgekit.ir.measurement import Array
from edgekit.sequences import LENGTH, trimmed
from edgekit.specs.factory import RAISED, in_a_line, resolve
from edgekit.specs.inputs import Input
from edgekit.specs.project import LENGTHS, DataSet, Project
from edgekit.tasks.label_arrays import unlabelled
from edgekit.untrusted.npy import DAMAGED, read_npz

GROUPS = "groups"
"""Attribute of the data sets of this package that holds what `group` names."""
UNLABELLED = "; samples without ground truth: labelled = false under [data]"


class MapStyle(Protocol):
    """Protocol of data sets: `len()`, and `[i] -> (input, label)`, or `[i] -> input` where nothing is labelled.

    An input is an array without the batch axis, or a dictionary of such arrays by input name. A label is what the
    task takes: an integer class, an array of targets, boxes. An attribute `labels` or `targets`, [N], is read in place
    of all samples.
    """

    def __len__(self) -> int: ...
    def __getitem__(self, i: int) -> Any: ...


def open_dataset(declared: DataSet, project: Project, where: str, partial: bool = False) -> MapStyle:
    """Open the declared data set. `where` names it in errors; `partial` says that classes may be without samples.

    Raises DataError, SpecError or MissingExtra.
    """
    if declared.loader:
        return _from_loader(declared.loader, project, where)
    path = (project.root / str(declared.path)).resolve()
    if not path.exists():
        raise DataError(f"the {where}: there is no '{declared.path}'", hint="paths are relative to edgekit.toml")
    if path.is_dir() and project.state:
        raise SequenceError(
            f"the {where}: '{declared.path}' is a folder of pictures, and the model takes sequences",
            hint='a .npz of arrays [samples, steps, …], or loader = "data.py:function"',
        )
    if path.is_dir():
        kind = file_kind(next(iter(project.inputs.values())))
        if not declared.labelled:
            return UnlabelledFiles.open(path, kind, where)
        nested = declared.group == FOLDER
        return ClassFolders.open(path, class_names(project), kind, where, partial, nested)
    readers = {".npz": _read_npz, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise DataError(
            f"the {where}: '{path.name}' is neither .npz nor .parquet nor a folder of class folders",
            hint='for anything else: loader = "data.py:function" in its place',
        )
    try:
        return readers[path.suffix](path, project, declared)
    except (*DAMAGED, KeyError, TypeError, OverflowError, MemoryError) as error:
        label = {".parquet": "label"}.get(path.suffix, "labels")
        names = ", ".join((*project.inputs, *([label] if declared.labelled else [])))
        raise DataError(
            f"the {where}: '{path.name}' cannot be read: {error}",
            hint=f"it must hold one row a sample of each of: {names}" + (UNLABELLED if declared.labelled else ""),
        ) from error


def stated_labels(source: MapStyle) -> Array | None:
    """Read the labels of all samples, [N], as the set itself lists them in `labels` or `targets`, without its samples.

    None if it lists none, or something else by that name.
    """
    for name in ("labels", "targets"):
        listed = getattr(source, name, None)
        with contextlib.suppress(Exception):  # user code
            labels = np.asarray(listed)
            if labels.ndim and labels.dtype.kind in "iuf" and len(labels) == len(source):
                return labels
    return None


def sample_groups(source: MapStyle, declared: DataSet, where: str) -> Array | None:
    """Number the group of each sample of an open data set, int64 [N]; None where `group` is not stated.

    Raises DataError if the set has no such values, or not one a sample.
    """
    if declared.group is None:
        return None
    attribute = declared.group if declared.loader else GROUPS
    values = getattr(source, attribute, None)
    if values is None:
        raise DataError(f"the {where} has no group '{declared.group}'", hint=HINT)
    return group_numbers(values, len(source), declared.group, where)


def _from_loader(loader: str, project: Project, where: str) -> MapStyle:
    try:
        source = resolve(loader, project.root)()
        len(source)
    except EdgekitError:
        raise
    except RAISED as error:
        raise DataError(
            f"the {where}: '{loader}' failed: {in_a_line(error)}",
            hint="a loader takes nothing and returns what has len() and [i] -> (input, label); try it alone in Python",
        ) from error
    opened: MapStyle = source
    return opened


def _read_npz(path: Path, project: Project, declared: DataSet) -> _Columns:
    labelled, group = declared.labelled, declared.group
    masks = {spec.mask for spec in project.inputs.values() if spec.mask}
    wanted = {*project.inputs, *(["labels"] if labelled else [])}
    lengths = {length.name + LENGTHS for length in project.lengths} | ({LENGTH} if project.state else set())
    arrays = read_npz(path, names=wanted | lengths | ({group} if group else set()))
    groups = arrays.get(group) if group else None
    lacking = sorted(wanted - masks - set(arrays))
    if lacking:
        raise ValueError(f"it has no array '{lacking[0]}'")
    columns = {name: cut_rows(arrays, name, spec) for name, spec in project.inputs.items() if name in arrays}
    first, labels = next(iter(arrays.items())) if not labelled else ("labels", arrays["labels"])
    for name, column in columns.items():
        if len(column) != len(labels):
            raise ValueError(f"'{name}' has {len(column)} rows, '{first}' has {len(labels)}")
    labels = labels if labelled else unlabelled(len(labels))
    if project.state and LENGTH in arrays and LENGTH not in project.inputs:
        steps = {name: arrays[name] for name in columns}
        return _Columns(*trimmed(steps, labels, arrays[LENGTH], f"'{path.name}'"), groups)
    return _Columns(columns, labels, groups)


def _read_parquet(path: Path, project: Project, declared: DataSet) -> _Columns:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingExtra("reading Parquet needs pyarrow", hint=extra_hint("parquet")) from error
    with path.open("rb") as file:
        table = parquet.read_table(file)
    columns: dict[str, Sequence[Any]] = {
        name: [
            _cell(value, spec, f"row {i} of '{path.name}'", bool(project.state))
            for i, value in enumerate(table[name].to_pylist())
        ]
        for name, spec in project.inputs.items()
        if name in table.column_names or name not in {each.mask for each in project.inputs.values()}
    }
    groups = table[declared.group].to_pylist() if declared.group in table.column_names else None
    if not declared.labelled:
        return _Columns(columns, unlabelled(table.num_rows), groups)
    label = table["label"]
    # Lists are labels of more than one number, such as boxes.
    nested = label.type.num_fields > 0
    return _Columns(columns, label.to_pylist() if nested else label.to_numpy(), groups)


@dataclass(frozen=True)
class _EncodedFile:
    """Bytes of a picture or WAV file, which are decoded when the sample is read: a set of pixels fills the memory."""

    content: bytes
    spec: Input
    where: str

    def read(self) -> Picture | SoundRecording:
        """Decode it. Raises PictureError, RecordingError or DataError."""
        file = io.BytesIO(self.content)
        if self.spec.sounds:
            return read_recording(file, self.where)
        return read_picture(file, self.spec.picture_shape, self.where)


def _cell(value: Any, spec: Input, where: str, timed: bool) -> Array | _EncodedFile:
    """Convert a Parquet cell: numbers, or the bytes of a picture or WAV file, plain or as `{"bytes": …}`.

    timed: the numbers are of a sequence, step after step.
    """
    encoded = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(encoded, bytes):
        return _EncodedFile(encoded, spec, where)
    if spec.preprocess_function or spec.audio or (spec.tokenizer and isinstance(value, str)):
        return np.asarray(value)
    array = np.asarray(value, spec.raw_dtype)
    return array if free_axes(spec) else array.reshape(*((-1,) if timed else ()), *spec.raw_shape)


@dataclass(frozen=True)
class _Columns:
    inputs: Mapping[str, Sequence[Array | _EncodedFile] | Array]
    labels: Array | Sequence[Any]
    groups: Array | Sequence[Any] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Mapping[str, Array | Picture | SoundRecording], Any]:
        cells = {name: column[i] for name, column in self.inputs.items()}
        read = {name: cell.read() if isinstance(cell, _EncodedFile) else cell for name, cell in cells.items()}
        return read, self.labels[i]
