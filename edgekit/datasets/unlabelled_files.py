"""Files without labels, pictures or recordings: all those in a folder, and in the folders in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.datasets.classes import visible
from edgekit.datasets.file_kind import FileKind
from edgekit.errors import DataError


@dataclass(frozen=True)
class UnlabelledFiles:
    """Map-style data set of files alone."""

    root: Path
    files: tuple[Path, ...]
    kind: FileKind

    @classmethod
    def open(cls, root: Path, kind: FileKind, where: str) -> UnlabelledFiles:
        """List the files below `root`, sorted; none is read. Raises DataError if there is none."""
        files = tuple(_files(root, kind.suffixes))
        if not files:
            raise DataError(
                f"the {where}: '{root.name}' holds no {kind.noun} that edgekit reads",
                hint=f"convert to {kind.format}, or write a loader; what is read: {', '.join(sorted(kind.suffixes))}",
            )
        return cls(root, files, kind)

    @property
    def groups(self) -> list[str]:
        """Folders that the files lie in, relative to the data set's."""
        return [str(file.parent.relative_to(self.root)) for file in self.files]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Any:
        path = self.files[i]
        return self.kind.read(path, f"'{path.relative_to(self.root)}'")


def _files(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    for entry in visible(folder):
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry, suffixes)
        elif entry.suffix.lower() in suffixes:
            yield entry
