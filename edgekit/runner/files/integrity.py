"""Integrity of an unpacked bundle: it holds exactly the files that its manifest lists. Standard library only."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..errors import RunnerError
from ..layout import MANIFEST, SIGNATURE
from .durable import SENSELESS, read_json

CHUNK = 1 << 20
UNREADABLE = (RunnerError, *SENSELESS)
"""Exceptions raised while reading a manifest that is damaged or none."""


def fault(folder: Path) -> str | None:
    """Describe the first file of the bundle in `folder` that is missing, damaged or not listed; None if all is whole.

    The digest of every file is computed.
    """
    try:
        listed = _read_listing(folder)
    except UNREADABLE as error:
        return f"'{folder / MANIFEST}' cannot be read: {type(error).__name__}: {error}"
    present = _paths_below(folder) - {MANIFEST, SIGNATURE}
    for name in sorted(present ^ set(listed)):
        return f"'{name}' in '{folder}' " + ("is not in its manifest" if name in present else "is missing")
    for name in sorted(present):
        if digest_of_file(folder / name) != listed[name]:
            return f"'{name}' in '{folder}' is damaged"
    return None


def listed(folder: Path) -> dict[str, str]:
    """SHA-256, in hex, by path of the files that the manifest in `folder` lists; empty if it cannot be read."""
    try:
        return _read_listing(folder)
    except UNREADABLE:
        return {}


def _read_listing(folder: Path) -> dict[str, str]:
    written = read_json(folder / MANIFEST, "data") or {}
    listed = {entry["path"]: entry["sha256"] for entry in written["files"]}
    if not all(isinstance(word, str) for pair in listed.items() for word in pair):
        raise TypeError("a file has no name, or no SHA-256")
    return listed


def _paths_below(folder: Path) -> set[str]:
    """Every path below `folder` that is not a directory, relative, POSIX. A symlink to a directory counts as a file."""
    paths = (Path(parent) / name for parent, folders, files in os.walk(folder) for name in (*folders, *files))
    return {path.relative_to(folder).as_posix() for path in paths if path.is_symlink() or not path.is_dir()}


def digest_of_file(path: Path) -> str | None:
    """SHA-256 of a file's bytes, in hex; None if there is no regular file at `path`, but a link, say."""
    if path.is_symlink() or not path.is_file():
        return None
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha.update(chunk)
    return sha.hexdigest()


def is_plain(name: str) -> bool:
    """Tell whether `name` is a relative path that stays below its folder: printable, no empty, `.` or `..` part."""
    return name.isprintable() and not {"", ".", ".."} & set(name.split("/"))
