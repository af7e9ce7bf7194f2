"""Kinds of files that folders of samples hold: pictures, or recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.datasets import pictures, recordings
from edgekit.specs.inputs import Input


class FileKind(NamedTuple):
    """A kind of files: its noun, its endings, the reader of one, and the format that others are converted to."""

    noun: str
    suffixes: frozenset[str]
    read: Callable[[Path, str], Any]
    """Reader of a file; the text names it in errors. Raises DataError."""
    format: str


def file_kind(spec: Input) -> FileKind:
    """Kind of the files of which an input is made."""
    if spec.sounds:
        return FileKind("recording", recordings.SUFFIXES, recordings.read_recording, "WAV")
    shape = spec.picture_shape
    return FileKind("picture", pictures.SUFFIXES, lambda path, where: pictures.read_picture(path, shape, where), "PNG")
