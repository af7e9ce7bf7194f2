"""Folders for the sockets of shared connections (ControlMaster of OpenSSH), one for each connection."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import time
from pathlib import Path

PREFIX = "edgekit-ssh-"
SOCKET_CHARACTERS = 80
"""The path of a unix socket has at most 107 bytes, on macOS 103, and ssh adds 17 for a moment."""
SHORT = Path("/tmp")  # noqa: S108 folders in it are made 0700
ABANDONED_S = 600.0
"""Age in seconds from which an empty folder is nobody's: a connection is made, or has failed, within 30 s."""


def control_folder() -> Path:
    """Path for a new folder, which is not made yet: in the folder for temporary files, or in /tmp if that is long."""
    name = f"{PREFIX}{secrets.token_hex(6)}"
    folder = Path(tempfile.gettempdir()) / name
    return folder if len(str(folder)) < SOCKET_CHARACTERS else SHORT / name


def make_control_folder(folder: Path) -> None:
    """Make the folder, for this user alone, and remove those that killed processes have left beside it.

    The master connection of a killed process ends after a minute and removes its socket, not its folder. A folder that
    is in use holds a socket and is never removed. Raises OSError if it cannot be made.
    """
    for other in folder.parent.glob(f"{PREFIX}{'[0-9a-f]' * 12}"):
        with contextlib.suppress(OSError):  # in use, another user's, or just removed by another process
            status = other.lstat()
            if status.st_uid == os.getuid() and time.time() - status.st_mtime > ABANDONED_S:
                other.rmdir()
    folder.mkdir(mode=0o700)
