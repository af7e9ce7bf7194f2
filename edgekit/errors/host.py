"""Errors of this machine and its processes."""

from __future__ import annotations

import traceback
from pathlib import PurePath

from edgekit.errors.base import EdgekitError


class MissingExtra(EdgekitError):
    """An optional dependency is not installed; the hint says which extra brings it."""

    code = "EK501"


class OutputBusy(EdgekitError):
    """Another build is writing to the same output folder. Wait for it, or give `--out` another folder."""

    code = "EK502"


class StorageError(EdgekitError):
    """The disk is full, or a file could not be read or written. Nothing half-written was left."""

    code = "EK503"


class Interrupted(EdgekitError):
    """Stopped by Ctrl-C or a signal. Finished stages stay in the cache; nothing half-written was left."""

    code = "EK504"


class Crash(EdgekitError):
    """The process that runs a project's code ended, or was ended, before the command was done. There is no result.

    Code that calls `os._exit` does it, a crash in native code, or the kernel when memory runs out; or something raised
    what is no exception to be caught, such as SystemExit. EDGEKIT_DEBUG=1 shows where.
    """

    code = "EK505"

    @classmethod
    def by(cls, error: BaseException) -> Crash:
        """Tell of something raised that would have ended the process."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
        message = f"{type(error).__name__} was raised{where}, and there is no result"
        return cls(message, hint="EDGEKIT_DEBUG=1 shows where")


class MemoryLimit(EdgekitError):
    """The command held more memory than it may: nine tenths of the machine's or the container's, or EDGEKIT_MEMORY_MB.

    It was stopped before the kernel would stop it, or something else, without a word.
    """

    code = "EK506"


class CacheInUse(EdgekitError):
    """A build, or another edgekit, has the cache open: nothing of it is removed meanwhile."""

    code = "EK507"
