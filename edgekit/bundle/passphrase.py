"""Sources of passphrases of signing keys and PINs of tokens. None is stored, shown or put on a command line."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from edgekit.atomic import readable
from edgekit.errors import KeyLocked, UsageError

VARIABLE = "EDGEKIT_PASSPHRASE_FILE"
MAX_BYTES = 1024

Passphrase = Callable[[str], bytes]
"""Function that gives a passphrase. Called with a description, such as `the key 'release'`, only when it is needed.

May raise KeyLocked.
"""


def from_file(locked: str) -> bytes:
    """Read the first line of the file that EDGEKIT_PASSPHRASE_FILE names.

    A pipe such as `/dev/fd/3` will do: it is waited for until it ends or gives a line. Raises KeyLocked if no file is
    named or the line is empty or too long, UsageError if others can read the file, StorageError if it cannot be read.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        raise KeyLocked(f"{locked} is locked, and nobody is here to ask", hint=f"{VARIABLE}=FILE edgekit …")
    path = Path(name)
    with readable(path), path.open("rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
            raise UsageError(f"others can read the passphrase in '{path}'", hint=f"chmod 600 '{path}'")
        line = file.readline(MAX_BYTES + 1).rstrip(b"\r\n")
    if not 0 < len(line) <= MAX_BYTES:
        raise KeyLocked(
            f"the first line of '{path}' is no passphrase: it has {'no' if not line else 'too many'} characters",
            hint=f"write the passphrase into it, at most {MAX_BYTES} bytes",
        )
    return line
