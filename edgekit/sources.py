"""Which files a user's code read, and whether they are still the same: what makes a cached result safe to reuse."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache as memoized
from pathlib import Path
from typing import Any, TypeVar

from edgekit.cache import digest_of, file_digest

T = TypeVar("T")
RACY_NS = 2_000_000_000
"""A file written this shortly before it was read may change again within one tick of its clock."""


@dataclass(frozen=True)
class Source:
    """One file, or the names in one folder, as it was when it was read."""

    path: str
    size: int
    mtime_ns: int
    digest: str
    settled: bool
    """Whether size and time alone may later vouch for the content."""

    @classmethod
    def of(cls, path: Path) -> Source:
        stat = path.stat()
        digest = digest_of(sorted(os.listdir(path))) if path.is_dir() else file_digest(path)
        return cls(str(path), stat.st_size, stat.st_mtime_ns, digest, time.time_ns() - stat.st_mtime_ns > RACY_NS)

    def unchanged(self) -> bool:
        path = Path(self.path)
        try:
            stat = path.stat()
            if self.settled and (stat.st_size, stat.st_mtime_ns) == (self.size, self.mtime_ns):
                return True
            return Source.of(path).digest == self.digest
        except OSError:
            return False


@dataclass(frozen=True)
class Trace:
    """What one run of a user's code read. `digest` changes when, and only when, a content does."""

    sources: tuple[Source, ...]

    @property
    def digest(self) -> str:
        return digest_of(sorted((source.path, source.digest) for source in self.sources))

    def current(self) -> bool:
        return all(source.unchanged() for source in self.sources)

    def save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.{os.getpid()}")
        try:
            partial.write_text(json.dumps([asdict(source) for source in self.sources]))
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def read(cls, file: Path) -> Trace | None:
        """The trace in `file`, if there is one and everything it read is still the same."""
        try:
            trace = cls(tuple(Source(**values) for values in json.loads(file.read_text())))
        except (OSError, ValueError, TypeError):
            return None
        return trace if trace.current() else None


def traced(call: Callable[[], T], root: Path) -> tuple[T, Trace]:
    """What `call` returns, and every file it read through Python, and every module of `root` it may have used.

    Files that native code opens by itself are not seen, unless they lie behind a Python `open`.
    """
    with _recording() as seen:
        result = call()
    modules = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    own = {str(Path(file)) for file in modules if file and file.startswith(str(root))}
    seen.discard(str(root))  # the importer lists it, to look for modules
    paths = sorted({path for path in map(_source_path, seen | own) if path and not _ours_or_the_systems(path)})
    return result, Trace(tuple(Source.of(path) for path in map(Path, paths) if path.exists()))


_recorders: list[set[str]] = []


@contextlib.contextmanager
def _recording() -> Iterator[set[str]]:
    _install_hook()
    seen: set[str] = set()
    _recorders.append(seen)
    try:
        yield seen
    finally:
        _recorders.remove(seen)


@memoized
def _install_hook() -> None:
    # An audit hook cannot be taken away again, so one serves every trace and does nothing between them.
    sys.addaudithook(_on_event)


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    if not _recorders or event not in ("open", "os.listdir", "os.scandir"):
        return
    path = args[0]
    if not isinstance(path, (str, bytes, os.PathLike)) or (event == "open" and _writes(args)):
        return
    for recorder in _recorders:
        recorder.add(os.path.abspath(os.fsdecode(path)))


def _writes(args: tuple[Any, ...]) -> bool:
    mode, flags = args[1], args[2]
    return (
        any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(flags & (os.O_WRONLY | os.O_RDWR))
    )


def _source_path(path: str) -> str | None:
    """The `.py` behind a cached `.pyc`; None for a folder on the import path, which only the importer lists."""
    if path.endswith(".pyc"):
        try:
            return importlib.util.source_from_cache(path)
        except ValueError:
            return None
    return None if path in {os.path.abspath(entry) for entry in sys.path} else path


def _ours_or_the_systems(path: str) -> bool:
    """Installed code and the system's own files: versions stand for them in the keys. Installed *data* does count."""
    if path.startswith(("/proc/", "/sys/", "/dev/")) or ".dist-info" in path:
        return True
    installed = path.startswith(_installed())
    return installed and (path.endswith((".py", ".so", ".pth", ".typed", ".cfg")) or os.path.isdir(path))


@memoized
def _installed() -> tuple[str, ...]:
    places = {sys.prefix, sys.base_prefix, *(sysconfig.get_paths()[kind] for kind in ("stdlib", "purelib", "platlib"))}
    return (*(os.path.join(place, "") for place in places), os.path.join(os.path.dirname(__file__), ""))
