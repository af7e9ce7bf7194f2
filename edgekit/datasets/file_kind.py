"""Kinds of files that folders of samples hold: pictures, or recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.datasets import pictures, recordings
from edgekit.specs.inputs import Input

SHOWN = 5
"""Kinds, and names of each, that a sentence has of a longer list."""


class FileKind(NamedTuple):
    """A kind of files: its noun, its endings, the reader of one, and the format that others are converted to."""

    noun: str
    suffixes: frozenset[str]
    read: Callable[[Path, str], Any]
    """Reader of a file; the text names it in errors. Raises DataError."""
    format: str

    def unread(self, files: Sequence[Path], where: str) -> tuple[str, ...]:
        """Sentence on files of other kinds that lie among those of this one; none where there are none."""
        if not files:
            return ()
        count = "1 file" if len(files) == 1 else f"{len(files):,} files"
        verb = f"is no {self.noun}" if len(files) == 1 else f"are no {self.noun}s"
        return (f"{count} of the {where} {verb} that edgekit reads: {kinds(files)}.",)


def kinds(files: Sequence[Path]) -> str:
    """Count files by ending and folder, with the first names: `2 .heic in 'cat' ('IMG_1.heic', 'IMG_2.heic')`."""
    names: dict[tuple[str, str], list[str]] = {}
    for file in files:
        names.setdefault((_ending(file), file.parent.name), []).append(file.name)
    counts = Counter({key: len(each) for key, each in names.items()}).most_common()
    shown = [f"{n:,} {key[0]} in '{key[1]}' ({some(names[key])})" for key, n in counts[:SHOWN]]
    return ", ".join([*shown, *(["…"] if len(counts) > SHOWN else [])])


def _ending(file: Path) -> str:
    return "folders" if file.is_dir() else file.suffix.lower() or "without an ending"


def some(names: Sequence[str]) -> str:
    """List the first names in quotes."""
    return ", ".join(f"'{name}'" for name in names[:SHOWN]) + (", …" if len(names) > SHOWN else "")


def file_kind(spec: Input) -> FileKind:
    """Kind of the files of which an input is made."""
    if spec.sounds:
        return FileKind("recording", recordings.SUFFIXES, recordings.read_recording, "WAV")
    shape = spec.picture_shape
    return FileKind("picture", pictures.SUFFIXES, lambda path, where: pictures.read_picture(path, shape, where), "PNG")
