"""Content-addressed cache of stages: a key of inputs, options and tool versions names a folder of files."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache as memoized
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgekit import user_paths
from edgekit.errors import StorageError
from edgekit.untrusted import json_text
from edgekit.untrusted.paths import contained

SEAL = "entry.json"
"""File written last into an entry: the digest of every file in it."""
SETTLED_S = 2.0
"""Age in seconds of a file's last change from which on this process remembers its digest: a later change has another
time, by the coarse clock of any file system."""
USERS = "users.lock"
"""File of which every process that has the cache open holds a shared lock: whoever cleans it needs it alone."""
_known: dict[tuple[int, ...], str] = {}
_users: dict[Path, int] = {}
"""Descriptors of the locks that this process holds, by the cache's folder; its end gives them back."""


@dataclass(frozen=True)
class Cache:
    """Entries under `root`. Safe when several builds use it at once; an interrupted one leaves no entry."""

    root: Path

    @classmethod
    def default(cls) -> Cache:
        """Open the user's cache, or that of EDGEKIT_CACHE. Removes the remains of interrupted builds."""
        return cls(user_paths.cache())._swept()

    @classmethod
    def of_downloads(cls) -> Cache:
        """Open the cache of downloads that all projects share (EDGEKIT_DOWNLOADS): packages, images, runtime packs."""
        return cls(user_paths.downloads())._swept()

    def made(self) -> Cache:
        """Make the folder if it is missing, and hold it: none of it is cleaned while this process runs.

        Raises StorageError if the folder cannot be made.
        """
        with storage_errors(self.root):
            try:
                self.root.mkdir(parents=True, exist_ok=True)
                self._hold()
            except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
                hint = "EDGEKIT_CACHE and EDGEKIT_DOWNLOADS name other folders"
                raise StorageError(f"the cache '{self.root}' cannot be made: {error.strerror}", hint=hint) from error
        return self

    def _hold(self) -> None:
        """Hold the shared lock of the cache's users; nothing where the folder or its file system has none."""
        if self.root in _users:
            return
        with contextlib.suppress(OSError):
            descriptor = os.open(self.root / USERS, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            except OSError:
                os.close(descriptor)
                raise
            _users[self.root] = descriptor

    def find(self, key: str) -> Path | None:
        """Find the entry of `key`; None if it is not there, or a file in it does not match its digest."""
        folder = self._folder(key)
        try:
            digests = _sealed(json_text.loads((folder / SEAL).read_bytes()))
            whole = all(_known_digest(contained(folder, name)) == digest for name, digest in digests.items())
        except (OSError, ValueError):
            whole = False
        return folder if whole else None

    def has(self, key: str) -> bool:
        """Tell whether there is an entry of `key`, without reading its files: `find` may still find it damaged."""
        return (self._folder(key) / SEAL).exists()

    def fetch(self, key: str, make: Callable[[Path], None]) -> tuple[Path, bool]:
        """Find the entry of `key`, or let `make` fill an empty folder that becomes it; true if it was there.

        Raises StorageError if the disk is full; what `make` raises passes through, and no entry is left.
        """
        entry = self.find(key)
        if entry:
            return entry, True
        with storage_errors(self.root), self.scratch() as partial:
            make(partial)
            digests = {name: file_digest(partial / name) for name in _names(partial)}
            (partial / SEAL).write_text(json.dumps(digests, sort_keys=True))
            return self._publish(partial, self._folder(key)), False

    def memo(self, options: Mapping[str, Any]) -> Path:
        """Path of a memo for `options`: a note that is valid only until its sources change."""
        return self.root / "memos" / f"{digest_of(options)}.json"

    def _publish(self, partial: Path, folder: Path) -> Path:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            # Another build made it first, or what stands there is damaged: whole entries of one key are equal.
            if self.find(folder.name) is None:
                shutil.rmtree(folder)
                partial.rename(folder)
        return folder

    def _folder(self, key: str) -> Path:
        return self.root / "entries" / key[:2] / key

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield an empty folder, which is removed at the end; if this process ends before, by the next that starts.

        It is locked: a process id may be used again by another process.
        """
        folder = self.root / "partial" / f"{os.getpid()}-{secrets.token_hex(4)}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            with _locked(folder.parent):
                folder.mkdir()
                stack.enter_context(_locked(folder))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            yield folder

    def _swept(self) -> Cache:
        partial = self.root / "partial"
        with contextlib.suppress(OSError), _locked(partial, wait=False):
            for folder in partial.glob("*-*"):
                _remove_unlocked(folder)
        return self


@contextlib.contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Convert errors of a full disk or a read-only folder to StorageError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or _is_short_write(error):
            raise StorageError(f"the disk of '{where}' is full", hint=f"df -h {_mount(where)}") from error
        if str(error.strerror).startswith("No usable temporary directory"):  # tempfile's, where it could write nowhere
            raise StorageError("no folder for temporary files can be written", hint="df -h /tmp") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR):
            raise StorageError(f"'{where}' may not be written: {error.strerror}", hint=look_at(where)) from error
        raise


def look_at(folder: Path) -> str:
    """Command that shows the owner of a folder, or of the nearest one above it that exists."""
    there = next(one for one in (folder, *folder.absolute().parents) if os.path.exists(one))  # noqa: PTH110 does not raise
    return f"ls -ld '{there}'"


def _mount(where: Path) -> Path:
    """Find the mount point of a path's disk: a folder that still exists when a user reads the error."""
    return next(folder for folder in (where.absolute(), *where.absolute().parents) if folder.is_mount())


def _is_short_write(error: OSError) -> bool:
    """True for the error by which numpy reports a full disk; it has no errno."""
    return error.errno is None and str(error).endswith(" written")


def digest_of(parts: Mapping[str, Any] | Sequence[Any]) -> str:
    """Compute the SHA-256 of plain data in its canonical JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Compute the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _known_digest(path: Path) -> str:
    """Compute the SHA-256 of a file's bytes once in this process, and again after any change to it.

    An emulated device starts from half a gigabyte. Whoever writes to a file sets its time of change (ctime), which no
    program can set back.
    """
    with path.open("rb") as file:
        identity = _identity(file.fileno())
        if identity in _known:
            return _known[identity]
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if identity == _identity(file.fileno()) and time.time() - identity[-1] / 1e9 >= SETTLED_S:
            _known[identity] = digest
    return digest


def _identity(descriptor: int) -> tuple[int, ...]:
    """Device, inode, size and times in ns of an open file: two contents of one file differ in one of them."""
    stat = os.fstat(descriptor)
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@memoized
def tool_versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Collect the versions of a stage's tools. edgekit's own is its version, `+`, and a digest of its source."""
    return {name: _version(name) for name in packages} | {"edgekit": source_version()}


@memoized
def source_version() -> str:
    """Identify edgekit by its version and a digest of its source: a changed compiler is another compiler."""
    root = Path(__file__).parent
    files = sorted(path for path in root.rglob("*.py") if "examples" not in path.relative_to(root).parts)
    sha = hashlib.sha256()
    for path in files:
        sha.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{_version('edgekit')}+{sha.hexdigest()[:12]}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _sealed(document: object) -> dict[str, str]:
    """Read the digests of an entry's files, by name. Raises ValueError for a seal that names no file."""
    digests = document if isinstance(document, dict) else {}
    if not digests or not all(isinstance(digest, str) for digest in digests.values()):
        raise ValueError("no seal")
    return digests


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _remove_unlocked(folder: Path) -> None:
    with contextlib.suppress(OSError), _locked(folder, wait=False):
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a folder, or none where the file system has no locks. Raises OSError instead of waiting."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, wait)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        if not wait:
            raise
