"""Folder of a device with its lock, a descriptor: a process that dies releases it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import IO, Literal

from edgekit.errors import DeviceBusy

CLAIM_S = 1.0
"""Seconds to wait for a folder: a process that sweeps, or checks whether it is in use, holds its lock for a moment."""
LOOK_S = 0.05


def claimed(folder: Path) -> IO[bytes]:
    """Make the folder if needed, and lock it. Raises DeviceBusy if another process holds it for CLAIM_S.

    A process that sweeps the folder meanwhile removes the lock with it: then it is made again.
    """
    deadline = time.monotonic() + CLAIM_S
    while True:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            lock = _locked(folder, "ab")
        except FileNotFoundError:
            continue
        except DeviceBusy:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_S)
            continue
        if os.fstat(lock.fileno()).st_nlink:
            return lock
        lock.close()


def in_use(folder: Path) -> bool:
    """Tell whether a process holds the lock of that folder."""
    try:
        _locked(folder, "r+b").close()
    except DeviceBusy:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    return False


def sweep(folder: Path) -> None:
    """Remove the folder of a device if no process holds its lock, also one that was removed in part."""
    with contextlib.suppress(DeviceBusy, FileNotFoundError, NotADirectoryError), _locked(folder, "ab"):
        shutil.rmtree(folder, ignore_errors=True)


def _locked(folder: Path, mode: Literal["ab", "r+b"]) -> IO[bytes]:
    lock = (folder / "lock").open(mode)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise DeviceBusy(f"'{folder.name}' is there already", hint="edgekit device list") from error
    return lock
