"""Permissions of what is its owner's alone: secret keys, and the files that say whom to trust."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from edgekit.errors import UnprotectedFile

OWNERS_FILE, OWNERS_FOLDER = 0o600, 0o700


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for its owner alone, whatever umask says.

    One that is there stays as it is. Raises OSError.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(OWNERS_FOLDER, exist_ok=True)
        one.chmod(OWNERS_FOLDER)  # umask may have taken more away


def private_opener(path: str, flags: int) -> int:
    """Open a file, made for its owner alone: for `open(..., opener=private_opener)`."""
    return os.open(path, flags, OWNERS_FILE)


def check_protected(folder: Path) -> None:
    """Raise UnprotectedFile if others than its owner can write to a folder, as ssh does; one that is missing is none.

    Another user's folder counts, too, but root's; to root all of them are its own.
    """
    try:
        found = folder.stat()
    except OSError:
        return
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise UnprotectedFile(f"others can write to '{folder}', and so put keys there", hint=f"chmod go-w '{folder}'")
    if os.getuid() and found.st_uid not in (0, os.getuid()):
        raise UnprotectedFile(f"'{folder}' belongs to another user", hint=f"ls -ld '{folder}'")
