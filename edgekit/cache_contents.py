"""Contents of the cache, in numbers, and their removal while no build uses them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.cache import SEAL, USERS, storage_errors
from edgekit.errors import CacheInUse

DAY_S = 86_400.0
RESULTS = ("entries", "memos", "partial")
"""Folders of a cache: finished stages, notes on their inputs, and what interrupted builds left."""


@dataclass(frozen=True)
class CacheContents:
    """Number and size of what a cache holds."""

    root: Path
    entries: int
    bytes: int
    oldest_s: float | None
    """Age in seconds of the oldest entry; None where there is none."""
    partial: int
    """Folders of builds that run, or were interrupted."""
    in_use: bool
    """True if a process has it open."""


def cache_contents(root: Path) -> CacheContents:
    """Count what the cache in `root` holds; nothing if there is no such folder. Downloads within it are left out."""
    entries = _entries(root)
    ages = [time.time() - made for made in map(_made_s, entries) if made is not None]
    return CacheContents(
        root,
        len(entries),
        sum(_bytes(root / name) for name in RESULTS),
        max(ages, default=None),
        len(list((root / "partial").glob("*-*"))),
        _is_held(root),
    )


def clean(root: Path, older_than_days: float = 0.0) -> tuple[int, int]:
    """Remove the entries of the cache in `root` that were made longer ago; returns their number and their bytes.

    Without an age, notes and remains of interrupted builds go, too. Raises CacheInUse while another process has the
    cache open, and StorageError if files cannot be removed.
    """
    if not root.is_dir():
        return 0, 0
    with storage_errors(root), _alone(root):
        before = time.time() - older_than_days * DAY_S
        chosen = [entry for entry in _entries(root) if (_made_s(entry) or 0.0) <= before]
        freed = 0
        for entry in chosen:
            freed += _bytes(entry)
            (entry / SEAL).unlink(missing_ok=True)  # first: what is cut short here is no entry any more
            shutil.rmtree(entry)
        if not older_than_days:
            for name in ("memos", "partial"):
                freed += _bytes(root / name)
                shutil.rmtree(root / name, ignore_errors=True)
        return len(chosen), freed


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold the cache against every other process. Raises CacheInUse if one has it open."""
    descriptor = os.open(root / USERS, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CacheInUse(
                f"a build, or another edgekit, uses the cache '{root}'",
                hint="edgekit cache clean, once it has ended; EDGEKIT_CACHE=DIR gives a build a cache of its own",
            ) from error
        yield
    finally:
        os.close(descriptor)


def _is_held(root: Path) -> bool:
    try:
        with _alone(root):
            return False
    except CacheInUse:
        return True
    except OSError:  # no such folder, or none that may be written
        return False


def _entries(root: Path) -> list[Path]:
    return sorted((root / "entries").glob("??/*"))


def _made_s(entry: Path) -> float | None:
    """Time at which an entry was finished, in seconds of the epoch; None for one that is damaged."""
    try:
        return (entry / SEAL).stat().st_mtime
    except OSError:
        return None


def _bytes(folder: Path) -> int:
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 a path object a file takes long
    return total
