"""An error as the document that tells the host of it. Standard library only."""

from __future__ import annotations

import errno
import json
import os
from typing import Any, NoReturn

from .errors import ErrorKind, RunnerError

ANSWER_FD = 100
"""Descriptor of the answer, once `main` has moved stdout out of the way of runtimes."""
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_answer(document: dict[str, Any]) -> None:
    """Write the one document of this process for the host."""
    with os.fdopen(ANSWER_FD, "w", encoding="utf-8", closefd=False) as out:
        out.write(json.dumps(document, sort_keys=True, allow_nan=False) + "\n")


def exit_with(error: Exception) -> NoReturn:
    """Answer with an error and end the process at once, whatever its other threads are in."""
    write_answer(failure(error))
    os._exit(1)


def failure(error: Exception) -> dict[str, str]:
    """Describe any exception: `error`, a message for people, and `kind`, an `ErrorKind`."""
    message, kind = _described(error)
    return {"error": message, "kind": kind}


def _described(error: Exception) -> tuple[str, ErrorKind]:
    if isinstance(error, RunnerError):
        return str(error), error.kind
    if isinstance(error, MemoryError):
        return "there is not enough memory", "memory"
    if isinstance(error, ImportError):
        return f"this Python lacks what a runtime needs: {error}", "runtime"
    if isinstance(error, OSError) and error.errno in CLOSED and error.filename:
        return f"'{error.filename}': {error.strerror}", "closed"
    if isinstance(error, OSError):
        return str(error), "storage" if error.errno in FULL else "system"
    return f"{type(error).__name__}: {error}", "run"
