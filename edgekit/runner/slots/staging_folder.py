"""Staging folder, `ROOT/staging`, in which a bundle is assembled until it is whole. Standard library only."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ..errors import RunnerError

_PARTIAL = re.compile(r"\..*\.(\d+)\.partial")
"""Name of a file that a push writes: the number is the process of its shell, whose working folder this is."""


def staging_of(root: Path, digest: str) -> Path:
    """Folder in which the bundle of `digest` is assembled. Raises RunnerError (usage) for what is no digest."""
    check_digest(digest)
    return root / "staging" / digest


def archive_of(root: Path, digest: str) -> Path:
    """Archive with the files of the bundle that no slot has. Raises RunnerError (usage) for what is no digest."""
    check_digest(digest)
    return root / "staging" / f"{digest}.tar"


def check_digest(digest: str) -> None:
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise RunnerError("usage", f"'{digest}' is no SHA-256")


def clear(folder: Path) -> None:
    """Remove the files of hosts that died or lost a race from the folder, but not those that a push is writing.

    The folder itself stays: it may be the working folder of a push that has just begun.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif not _is_written(path):
            path.unlink(missing_ok=True)


def _is_written(path: Path) -> bool:
    named = _PARTIAL.fullmatch(path.name)
    try:
        return named is not None and Path(f"/proc/{named[1]}/cwd").samefile(path.parent)
    except OSError:
        return False
