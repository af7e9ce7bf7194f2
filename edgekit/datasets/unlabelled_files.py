"""Files without labels, pictures or recordings: all those in a folder, and in the folders in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.datasets.classes import visible
from edgekit.datasets.file_kind import FileKind, kinds
from edgekit.errors import DataError


@dataclass(frozen=True)
class UnlabelledFiles:
    """Map-style data set of files alone."""

    root: Path
    files: tuple[Path, ...]
    kind: FileKind
    left_out: tuple[str, ...] = ()
    """Sentences on files that lie there and were not read."""

    @classmethod
    def open(cls, root: Path, kind: FileKind, where: str) -> UnlabelledFiles:
        """List the files below `root`, sorted; none is read. Raises DataError if there is none."""
        present = tuple(_files(root))
        files = tuple(file for file in present if file.suffix.lower() in kind.suffixes)
        others = [file for file in present if file.suffix.lower() not in kind.suffixes]
        if not files:
            holds = f"; what lies there: {kinds(others)}" if others else ""
            raise DataError(
                f"the {where}: '{root.name}' holds no {kind.noun} that edgekit reads{holds}",
                hint=f"convert to {kind.format}, or write a loader; what is read: {', '.join(sorted(kind.suffixes))}",
            )
        return cls(root, files, kind, kind.unread(others, where))

    @property
    def groups(self) -> list[str]:
        """Folders that the files lie in, relative to the data set's."""
        return [str(file.parent.relative_to(self.root)) for file in self.files]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Any:
        path = self.files[i]
        return self.kind.read(path, f"'{path.relative_to(self.root)}'")


def _files(folder: Path) -> Iterator[Path]:
    for entry in visible(folder):
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif entry.is_file():
            yield entry
