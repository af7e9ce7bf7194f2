"""Whether an unpacked bundle is exactly what its manifest lists. Standard library only."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..errors import RunnerError
from ..layout import MANIFEST, SIGNATURE
from .durable import SENSELESS, read_json

CHUNK = 1 << 20
UNREADABLE = (RunnerError, *SENSELESS)
"""What reading a manifest that is none raises."""


def fault(folder: Path) -> str | None:
    """What is wrong with the bundle unpacked in `folder`: a file missing, damaged or not listed; None if whole."""
    try:
        listed = _listed(folder)
    except UNREADABLE as error:
        return f"'{folder / MANIFEST}' cannot be read: {type(error).__name__}: {error}"
    found = _files(folder) - {MANIFEST, SIGNATURE}
    for name in sorted(found ^ set(listed)):
        return f"'{name}' in '{folder}' " + ("is not in its manifest" if name in found else "is missing")
    for name in sorted(found):
        if digest_of_file(folder / name) != listed[name]:
            return f"'{name}' in '{folder}' is damaged"
    return None


def listed(folder: Path) -> dict[str, str]:
    """SHA-256 by path of the files that the manifest in `folder` lists; of one that cannot be read, none."""
    try:
        return _listed(folder)
    except UNREADABLE:
        return {}


def _listed(folder: Path) -> dict[str, str]:
    written = read_json(folder / MANIFEST, "data") or {}
    listed = {entry["path"]: entry["sha256"] for entry in written["files"]}
    if not all(isinstance(word, str) for pair in listed.items() for word in pair):
        raise TypeError("a file has no name, or no SHA-256")
    return listed


def _files(folder: Path) -> set[str]:
    """Whatever is no folder below, by relative path. A link to a folder is none."""
    paths = (Path(parent) / name for parent, folders, files in os.walk(folder) for name in (*folders, *files))
    return {path.relative_to(folder).as_posix() for path in paths if path.is_symlink() or not path.is_dir()}


def digest_of_file(path: Path) -> str | None:
    """SHA-256 of a file's bytes; None of what is no file of its own, such as a link."""
    if path.is_symlink() or not path.is_file():
        return None
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha.update(chunk)
    return sha.hexdigest()


def is_plain(name: str) -> bool:
    """Whether it can become a path below a folder of ours, and never leaves it."""
    return name.isprintable() and not {"", ".", ".."} & set(name.split("/"))
