"""A folder of class folders of files, pictures or recordings, matched to the project's classes by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.datasets.classes import class_folders, normal, visible
from edgekit.datasets.file_kind import FileKind, kinds, some
from edgekit.datasets.groups import folder_names
from edgekit.errors import ClassMismatch, DataError, EmptyClass, suggest
from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted

NUMBERED = re.compile(r"\d+[ ._-]+(?=.)")
"""Number before a name that keeps folders in order, as in `03_cat`."""


@dataclass(frozen=True)
class ClassFolders:
    """Map-style data set. The label of a file is the index of its folder's name in the classes."""

    files: tuple[tuple[Path, int], ...]
    kind: FileKind
    root: Path
    left_out: tuple[str, ...] = ()
    """Sentences on files that lie there and were not read."""

    @classmethod
    def open(
        cls, root: Path, classes: Sequence[str], kind: FileKind, where: str, partial: bool, nested: bool = False
    ) -> ClassFolders:
        """List the files below `root`; none is read.

        `partial` says that a class may be without files, `nested` that files lie in folders of the class folders, too,
        one a group. Raises ClassMismatch if a folder has the name of no class
        or of several, EmptyClass if a class has no file, DataError if there is no class folder.
        """
        folders = class_folders(root)
        if not folders:
            raise DataError(
                f"the {where}: '{root.name}' holds no class folder", hint=f"one folder a class: {root.name}/CLASS/1.png"
            )
        labels = _labels(folders, classes, where)
        contents = [_contents(folder, nested) for folder in folders]
        if not partial:
            _check_classes(classes, dict(zip(labels, contents, strict=True)), kind, where)
        files = [
            (file, label) for label, content in zip(labels, contents, strict=True) for file in _of_kind(content, kind)
        ]
        return cls(tuple(sorted(files, key=lambda file: file[1])), kind, root, _left_out(root, contents, kind, where))

    @property
    def labels(self) -> Array:
        return np.array([label for _, label in self.files], np.int64)

    @property
    def groups(self) -> list[str]:
        """Names of the folders below the class folders that files lie in."""
        return folder_names([file for file, _ in self.files], self.root)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        path, label = self.files[i]
        return self.kind.read(path, f"'{path.parent.name}/{path.name}'"), label


def _contents(folder: Path, nested: bool) -> list[Path]:
    """List the entries of a class folder; if `nested`, those of the folders in it in their place."""
    entries = visible(folder)
    if not nested:
        return entries
    return [file for entry in entries for file in (visible(entry) if entry.is_dir() else [entry])]


def _labels(folders: Sequence[Path], classes: Sequence[str], where: str) -> list[int]:
    """Match each folder to the label of its class, one to one. Raises ClassMismatch."""
    candidates = [_matching_labels(folder, classes) for folder in folders]
    strangers = [folder.name for folder, labels in zip(folders, candidates, strict=True) if not labels]
    if strangers:
        free = [name for label, name in enumerate(classes) if [label] not in candidates]
        others = f", nor are {len(strangers) - 1} other folders" if len(strangers) > 1 else ""
        raise ClassMismatch(
            f"the {where}: the folder '{strangers[0]}' is no class of the project{others}",
            hint=suggest(strangers[0], free or classes, f"folders go by [model] classes: {some(classes)}"),
        )
    for folder, labels in zip(folders, candidates, strict=True):
        if len(labels) > 1 or candidates.count(labels) > 1:
            raise ClassMismatch(
                f"the {where}: the folder '{folder.name}' and its class do not go together one to one",
                hint="give every class a name, and a folder, of its own",
            )
    return [labels[0] for labels in candidates]


def _matching_labels(folder: Path, classes: Sequence[str]) -> list[int]:
    """List the labels of classes with the folder's name; if there are none, with that name less a leading number."""
    name = normal(folder.name)
    for name_or_stem in (name, NUMBERED.sub("", name, count=1)):
        labels = [label for label, known in enumerate(classes) if normal(known) == name_or_stem]
        if labels:
            return labels
    return []


def _check_classes(classes: Sequence[str], contents: Mapping[int, Sequence[Path]], kind: FileKind, where: str) -> None:
    """Raise EmptyClass if a class has no folder, or none with a file of the kind. `contents` is by label."""
    missing = [name for label, name in enumerate(classes) if label not in contents]
    if missing:
        raise EmptyClass(
            f"the {where} has no folder for {len(missing)} of {counted(len(classes), 'class')}: {some(missing)}",
            hint="add it; to measure some classes only, on purpose, write a loader that gives those",
        )
    for label, content in contents.items():
        if not _of_kind(content, kind):
            holds = f"what lies there: {kinds(content)}" if content else "nothing lies there"
            raise EmptyClass(
                f"the {where}: the folder of class '{classes[label]}' holds no {kind.noun} that edgekit reads; {holds}",
                hint=f"convert to {kind.format}, or write a loader; what is read: {', '.join(sorted(kind.suffixes))}",
            )


def _of_kind(content: Sequence[Path], kind: FileKind) -> list[Path]:
    return [file for file in content if file.suffix.lower() in kind.suffixes]


def _left_out(root: Path, contents: Sequence[Sequence[Path]], kind: FileKind, where: str) -> tuple[str, ...]:
    """Describe files in class folders that are of another kind, and files of the kind that are in no class folder."""
    unread = [file for content in contents for file in content if file.suffix.lower() not in kind.suffixes]
    stray = _of_kind(visible(root), kind)
    sentences = list(kind.unread(unread, where))
    if stray:
        one = len(stray) == 1
        many = f"{len(stray):,} {kind.noun}s of the {where} lie in no class folder and were left out."
        sentences.append(f"1 {kind.noun} of the {where} lies in no class folder and was left out." if one else many)
    return tuple(sentences)
