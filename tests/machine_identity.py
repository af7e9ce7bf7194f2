"""This machine and its user, of whom no file that leaves it may tell."""

from __future__ import annotations

import contextlib
import getpass
import socket
from pathlib import Path

LONG = 8
"""Letters of a name that no file has by chance: a machine may be called `host`, and a user live in `/`."""


def names() -> list[str]:
    """Names of the machine and its user, and the user's home."""
    names = [socket.gethostname(), str(Path.home())]
    with contextlib.suppress(KeyError, OSError):  # a container's user may have no name
        names.append(getpass.getuser())
    return [name for name in names if len(name) >= LONG]
