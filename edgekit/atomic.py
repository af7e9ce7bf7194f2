"""Atomic writes: files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from io import BufferedRandom
from pathlib import Path

from edgekit.cache import look_at, storage_errors
from edgekit.errors import StorageError


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Convert every OSError to a StorageError: `path` cannot be read."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"'{path}' cannot be read: {error.strerror or error}") from error


@contextlib.contextmanager
def stored(path: Path) -> Iterator[None]:
    """Convert every OSError to a StorageError: `path` cannot be written, and why."""
    try:
        with storage_errors(path.parent):
            yield
    except OSError as error:
        message = f"'{path}' cannot be written: {error.strerror or error}"
        raise StorageError(message, hint=look_at(path.parent)) from error


@contextlib.contextmanager
def partial_beside(path: Path) -> Iterator[Path]:
    """Yield a free name in the folder of `path`. A file still there afterwards is removed, whatever happened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[BufferedRandom]:
    """Yield a new file for writing and reading, which replaces `path` at the end, once it is on the disk.

    If anything is raised, what was there before stays. Of several at once, one after the other takes the place. `mode`
    is masked as the user's files are.
    """
    with partial_beside(path) as partial:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
        sync_folder(path.parent)


def write(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file whole or not at all, replacing one that is there. Raises StorageError.

    `mode` is masked as the user's files are.
    """
    with stored(path), replacing(path, mode) as file:
        file.write(content)


def check_writable(path: Path) -> None:
    """Raise StorageError if `write` would fail; called before an hour of work whose result is to be written."""
    with stored(path), partial_beside(path) as partial:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        partial.touch()


def create(path: Path, content: bytes, mode: int) -> bool:
    """Write a file that is not there yet, with exactly these permissions; False, and nothing done, if it is there.

    Of two processes that create it at once, one gets True, and the other finds the whole file. Raises StorageError.
    """
    with stored(path), partial_beside(path) as partial:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        try:
            # a rename would replace what another process has just put there
            os.link(partial, path)
        except FileExistsError:
            return False
        sync_folder(path.parent)
    return True


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk (fsync)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
