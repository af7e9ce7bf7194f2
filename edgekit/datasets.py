"""Opens what a project names as data: a loader function, `.npz`, Parquet, or a folder of class folders of images."""

from __future__ import annotations

import contextlib
import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgekit.errors import DataError, EdgekitError, MissingExtra
from edgekit.ir.measurement import Array
from edgekit.specs.factory import in_a_line, resolve
from edgekit.specs.project import DataSet, Input, Project
from edgekit.untrusted.npy import read_npz

IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"}


class MapStyle(Protocol):
    """`len()` and `[i] -> (input, label)`; an input is an array without the batch axis, or a dict of them by name."""

    def __len__(self) -> int: ...
    def __getitem__(self, i: int) -> tuple[Any, Any]: ...


def open_dataset(declared: DataSet, project: Project, where: str) -> MapStyle:
    """The declared data set, opened. `where` names it in errors. Raises DataError, SpecError or MissingExtra."""
    if declared.loader:
        return _from_loader(declared.loader, project, where)
    path = (project.root / str(declared.path)).resolve()
    if not path.exists():
        raise DataError(f"the {where}: there is no '{declared.path}'", hint="paths are relative to edgekit.toml")
    if path.is_dir():
        return _Folder.of(path, project)
    readers = {".npz": _read_npz, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise DataError(
            f"the {where}: '{path.name}' is neither .npz nor .parquet nor a folder of class folders",
            hint='for anything else: loader = "data.py:function" in its place',
        )
    try:
        return readers[path.suffix](path, project)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        names = ", ".join((*project.inputs, "label" if path.suffix == ".parquet" else "labels"))
        raise DataError(
            f"the {where}: '{path.name}' cannot be read: {error}",
            hint=f"it must hold one row a sample of each of: {names}",
        ) from error


def stated_labels(source: MapStyle) -> Array | None:
    """[N]: the labels of all samples as the set itself lists them, in `labels` or `targets`, without reading a sample.

    None if it lists none, or something else by that name.
    """
    for name in ("labels", "targets"):
        listed = getattr(source, name, None)
        with contextlib.suppress(Exception):  # user code
            labels = np.asarray(listed)
            if labels.ndim and labels.dtype.kind in "iuf" and len(labels) == len(source):
                return labels
    return None


def _from_loader(loader: str, project: Project, where: str) -> MapStyle:
    try:
        source = resolve(loader, project.root)()
        len(source)
    except EdgekitError:
        raise
    except (Exception, SystemExit) as error:  # user code that exits would end us without a word
        raise DataError(
            f"the {where}: '{loader}' failed: {in_a_line(error)}",
            hint="a loader takes nothing and returns what has len() and [i] -> (input, label); try it alone in Python",
        ) from error
    opened: MapStyle = source
    return opened


def _read_npz(path: Path, project: Project) -> _Columns:
    arrays = read_npz(path, names={*project.inputs, "labels"})
    columns = {name: arrays[name] for name in project.inputs}
    labels = arrays["labels"]
    for name, column in columns.items():
        if len(column) != len(labels):
            raise ValueError(f"'{name}' has {len(column)} rows, 'labels' has {len(labels)}")
    return _Columns(columns, labels)


def _read_parquet(path: Path, project: Project) -> _Columns:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingExtra("reading Parquet needs pyarrow", hint="pip install 'edgekit[parquet]'") from error
    with path.open("rb") as file:
        table = parquet.read_table(file)
    columns = {name: [_cell(value, spec) for value in table[name].to_pylist()] for name, spec in project.inputs.items()}
    return _Columns(columns, table["label"].to_numpy())


def _cell(value: Any, spec: Input) -> Array:
    """One Parquet cell: numbers, the bytes of an image file, or `{"bytes": …}` as image data sets store them."""
    encoded = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(encoded, bytes):
        return _decode(io.BytesIO(encoded), spec.raw_shape)
    return np.asarray(value, spec.raw_dtype).reshape(spec.raw_shape)


def _decode(file: Any, shape: tuple[int, ...]) -> Array:
    """An image file as uint8 HWC pixels, grey or RGB as the shape has channels."""
    from PIL import Image

    with Image.open(file) as image:
        pixels = np.asarray(image.convert("L" if shape[-1] == 1 else "RGB"), np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


@dataclass(frozen=True)
class _Columns:
    inputs: Mapping[str, Sequence[Array] | Array]
    labels: Array

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Mapping[str, Array], Any]:
        return {name: column[i] for name, column in self.inputs.items()}, self.labels[i]


@dataclass(frozen=True)
class _Folder:
    """A folder of class folders of images; the classes are numbered in the order of their names."""

    files: tuple[tuple[Path, int], ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, root: Path, project: Project) -> _Folder:
        classes = sorted(child for child in root.iterdir() if child.is_dir())
        files = ((f, label) for label, folder in enumerate(classes) for f in sorted(folder.iterdir()))
        return cls(
            tuple((file, label) for file, label in files if file.suffix.lower() in IMAGES),
            next(iter(project.inputs.values())).raw_shape,
        )

    @property
    def labels(self) -> Array:
        return np.array([label for _, label in self.files], np.int64)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Array, int]:
        path, label = self.files[i]
        return _decode(path, self.shape), label
