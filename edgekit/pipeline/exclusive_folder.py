"""Output folder of a build: locked for it alone, filled at its end, and gone again if nothing came into it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgekit.atomic import stored
from edgekit.cache import storage_errors
from edgekit.errors import OutputBusy

STAGING = ".edgekit.partial"
ATTEMPTS = 10


@contextlib.contextmanager
def exclusive(out: Path) -> Iterator[Path]:
    """Lock the folder `out` for this build alone, making it if need be. Yields a staging folder in it: its files are
    moved into `out` at the end, bundle and report together; after an error nothing is.

    Raises OutputBusy if another build has it, StorageError if it cannot be made or the disk is full.
    """
    staging = out / STAGING
    with storage_errors(out), _locked(out):
        shutil.rmtree(staging, ignore_errors=True)  # left by a build that was killed
        staging.mkdir()
        try:
            yield staging
            for path in sorted(staging.iterdir()):
                path.replace(out / path.name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Lock the folder itself: no lock file stays behind, and a dead process holds nothing.

    It is removed if it is empty in the end, and so are the folders above it that had to be made.
    """
    with contextlib.ExitStack() as stack:
        with stored(out):
            new = [folder for folder in out.parents if not folder.exists()]
            descriptor = _open_folder(out)
        stack.callback(os.close, descriptor)
        _lock(descriptor, out)
        stack.callback(_remove_empty, [out, *new])
        yield


def _open_folder(out: Path) -> int:
    """Descriptor of a folder, made with those above it. Another build may remove one of these, empty, meanwhile."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(FileNotFoundError):
            out.mkdir(parents=True, exist_ok=True)
            return os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    out.mkdir(parents=True, exist_ok=True)
    return os.open(out, os.O_RDONLY | os.O_DIRECTORY)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, the innermost first, up to the first one that holds something."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _lock(folder: int, out: Path) -> None:
    busy = OutputBusy(f"another edgekit is writing to '{out}'", hint="wait for it, or give --out another folder")
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise busy from error
    # Whoever had it may have removed it, empty, as it left.
    if not out.exists() or not os.path.samestat(os.fstat(folder), out.stat()):
        raise busy
