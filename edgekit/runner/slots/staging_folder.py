"""The folder in which bundles are put together, `ROOT/staging`. Standard library only."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ..errors import RunnerError

_PARTIAL = re.compile(r"\..*\.(\d+)\.partial")
"""What a push writes: the last number is of the shell that does, which stands in the folder meanwhile."""


def staging_of(root: Path, digest: str) -> Path:
    """Where a bundle is put together, until it is whole. Raises RunnerError (usage) for what is no digest."""
    check_digest(digest)
    return root / "staging" / digest


def archive_of(root: Path, digest: str) -> Path:
    """Where what the slots lack of that bundle arrives. Raises RunnerError (usage) for what is no digest."""
    check_digest(digest)
    return root / "staging" / f"{digest}.tar"


def check_digest(digest: str) -> None:
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise RunnerError("usage", f"'{digest}' is no SHA-256")


def clear(folder: Path) -> None:
    """Empty the folder of what hosts that died, or lost the race, left behind; what a push is writing stays.

    The folder stays too: a push that has just begun stands in it.
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
