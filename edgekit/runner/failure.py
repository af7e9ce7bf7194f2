"""An error as the host is told of it. Standard library only."""

from __future__ import annotations

import errno

from .errors import RunnerError

CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def failure(error: Exception) -> dict[str, str]:
    """A message in `error`, and in `kind` the word that `RunnerError` has for it."""
    if isinstance(error, RunnerError):
        return {"error": str(error), "kind": error.kind}
    if isinstance(error, MemoryError):
        return {"error": "there is not enough memory", "kind": "memory"}
    if isinstance(error, ImportError):
        return {"error": f"this Python lacks what a runtime needs: {error}", "kind": "runtime"}
    if isinstance(error, OSError) and error.errno in CLOSED and error.filename:
        return {"error": f"'{error.filename}': {error.strerror}", "kind": "closed"}
    if isinstance(error, OSError):
        return {"error": str(error), "kind": "storage" if error.errno in FULL else "system"}
    return {"error": f"{type(error).__name__}: {error}", "kind": "run"}
