"""The folder of a device, and the lock that says whose it is: a descriptor, so that a dead process holds none."""

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
"""How long a folder is waited for: whoever sweeps, or looks whether it is in use, holds its lock for a moment."""
LOOK_S = 0.05


def claimed(folder: Path) -> IO[bytes]:
    """The lock of a folder that is there, and ours: whoever swept it meanwhile has removed the lock with it."""
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
    """Whether somebody makes, has or keeps the device in that folder."""
    try:
        _locked(folder, "r+b").close()
    except DeviceBusy:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    return False


def sweep(folder: Path) -> None:
    """Remove the folder of a device that nobody has any more, or what is left of it: its lock may be gone already."""
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
