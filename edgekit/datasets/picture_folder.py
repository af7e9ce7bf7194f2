"""Pictures without labels: all those in a folder, and in the folders in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.datasets.classes import visible
from edgekit.datasets.pictures import SUFFIXES, Picture, read_picture
from edgekit.errors import DataError


@dataclass(frozen=True)
class UnlabelledPictures:
    """Map-style data set of pictures alone."""

    root: Path
    files: tuple[Path, ...]
    shape: tuple[int, ...]
    """Shape of each picture, [height, width, channels]."""

    @classmethod
    def open(cls, root: Path, shape: tuple[int, ...], where: str) -> UnlabelledPictures:
        """List the pictures below `root`, sorted; none is decoded. Raises DataError if there is none."""
        files = tuple(_pictures(root))
        if not files:
            raise DataError(
                f"the {where}: '{root.name}' holds no picture that edgekit reads",
                hint=f"convert to PNG, or write a loader; what is read: {', '.join(sorted(SUFFIXES))}",
            )
        return cls(root, files, shape)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Picture:
        path = self.files[i]
        return read_picture(path, self.shape, f"'{path.relative_to(self.root)}'")


def _pictures(folder: Path) -> Iterator[Path]:
    for entry in visible(folder):
        if entry.is_dir() and not entry.is_symlink():
            yield from _pictures(entry)
        elif entry.suffix.lower() in SUFFIXES:
            yield entry
