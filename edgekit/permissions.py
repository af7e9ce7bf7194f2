"""Owner-only permissions of secret keys, and of the files that state whom to trust."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from edgekit.errors import UnprotectedFile

OWNERS_FILE, OWNERS_FOLDER = 0o600, 0o700


def private_folder(folder: Path) -> None:
    """Make a folder and its missing parents for its owner alone, whatever the umask.

    One that is there stays as it is. Raises OSError.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(OWNERS_FOLDER, exist_ok=True)
        one.chmod(OWNERS_FOLDER)  # umask may have taken more away


def private_opener(path: str, flags: int) -> int:
    """Opener that creates a file for its owner alone: `open(..., opener=private_opener)`."""
    return os.open(path, flags, OWNERS_FILE)


def check_protected(folder: Path) -> None:
    """Raise UnprotectedFile if users other than its owner can write to a folder, as ssh does.

    A folder of another user is refused too, except root's; to root every folder is its own. A missing folder passes.
    """
    try:
        status = folder.stat()
    except OSError:
        return
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise UnprotectedFile(f"others can write to '{folder}', and so put keys there", hint=f"chmod go-w '{folder}'")
    if os.getuid() and status.st_uid not in (0, os.getuid()):
        raise UnprotectedFile(f"'{folder}' belongs to another user", hint=f"ls -ld '{folder}'")
