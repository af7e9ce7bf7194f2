"""Trace of the files that a user's code read: a cached result may be reused while they are unchanged."""

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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pydantic import TypeAdapter

from edgekit.atomic import write
from edgekit.cache import digest_of, file_digest

T = TypeVar("T")
NATIVE = {".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".gguf", ".h5", ".hdf5"}
"""Endings of weight files. Native code opens them unseen, so those of a project always count as read."""
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
    """True if an unchanged size and time suffice later to prove the content unchanged."""

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
class FileTrace:
    """Files that one run of a user's code read. `digest` changes if and only if a content does."""

    sources: tuple[Source, ...]
    versions: tuple[tuple[str, str], ...] = ()
    """Versions of the installed packages that the user's own modules use."""
    volatile: int = 0
    """Time of its end in ns if a file was written while it ran, as its content is then unknown; else 0."""

    @property
    def digest(self) -> str:
        read = sorted((source.path, source.digest) for source in self.sources)
        return digest_of({"read": read, "versions": self.versions, "volatile": self.volatile})

    def current(self) -> bool:
        same = all(_version(name) == version for name, version in self.versions)
        return same and all(source.unchanged() for source in self.sources)

    def save(self, file: Path) -> None:
        """Save the trace for `read`, unless it is volatile. Raises StorageError."""
        if self.volatile:
            return
        write(file, json.dumps(asdict(self)).encode())

    @classmethod
    def read(cls, file: Path) -> FileTrace | None:
        """Read the trace in `file`; None if there is none, or if a file in it has changed."""
        try:
            trace = _TRACE.validate_json(file.read_bytes())
        except (OSError, ValueError):
            return None
        return trace if trace.current() else None


_TRACE = TypeAdapter(FileTrace)


def traced(call: Callable[[], T], root: Path, ignored: Path) -> tuple[T, FileTrace]:
    """Run `call`, and give its result with a trace of the files that it was made of.

    Traced are files read through Python, the project's modules with those that they use, and the weights in the folder
    `root` of the project, which native code opens unseen. Nothing in `ignored` counts. Other files that native code
    opens by itself are not seen.
    """
    started = time.time_ns()
    with _recording() as seen:
        result = call()
    seen.discard(str(root))  # the importer lists it, to look for modules
    modules, packages = _used(root)
    paths = sorted({path for path in map(_source_path, seen | modules | _weights(root)) if path})
    sources_read = [Path(path) for path in paths if not _passed_over(path, root, ignored)]
    sources = tuple(Source.of(path) for path in sources_read if path.exists())
    written = any(source.mtime_ns > started and Path(source.path).is_file() for source in sources)
    versions = tuple((name, _version(name)) for name in sorted(packages))
    return result, FileTrace(sources, versions, time.time_ns() if written else 0)


def _used(root: Path) -> tuple[set[str], set[str]]:
    """Collect the files of the modules of `root` and of those that they name; of installed ones the package's name."""
    files, packages = set(), set()
    waiting = [name for name, module in list(sys.modules.items()) if _file(module).startswith(str(root))]
    known = set(waiting)
    while waiting:
        module = sys.modules[waiting.pop()]
        files.add(_file(module))
        for value in list(vars(module).values()):
            name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if not isinstance(name, str) or name in known or name not in sys.modules:
                continue
            known.add(name)
            file = _file(sys.modules[name])
            if file and not file.startswith(_installed()):
                waiting.append(name)
            elif "site-packages" in file:
                packages.add(name.partition(".")[0])
    return files, {name for name in packages if _version(name)}


def _weights(root: Path) -> set[str]:
    return {
        os.path.join(folder, name)
        for folder, folders, names in os.walk(root)
        if _visible(folders)
        for name in names
        if os.path.splitext(name)[1] in NATIVE
    }


def _visible(folders: list[str]) -> bool:
    """Keep `os.walk` out of hidden folders."""
    folders[:] = [name for name in folders if not name.startswith((".", "__"))]
    return True


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


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
    # Python reads a line of source to show it, in a warning or a trace of calls: nothing is made of that.
    if sys._getframe(1).f_globals.get("__name__") == "tokenize":
        return
    for recorder in _recorders:
        recorder.add(os.path.abspath(os.fsdecode(path)))


def _writes(args: tuple[Any, ...]) -> bool:
    mode, flags = args[1], args[2]
    return any(letter in mode for letter in "wax") if isinstance(mode, str) else bool(flags & (os.O_WRONLY | os.O_RDWR))


def _source_path(path: str) -> str | None:
    """Find the `.py` of a cached `.pyc`; None for a folder on the import path, which only the importer lists."""
    if path.endswith(".pyc"):
        try:
            return importlib.util.source_from_cache(path)
        except ValueError:
            return None
    return None if path in {os.path.abspath(entry) for entry in sys.path} else path


def _passed_over(path: str, root: Path, ignored: Path) -> bool:
    """True for installed code and the system's files: versions stand for them in the keys. Installed *data* counts."""
    if path.startswith((os.path.join(ignored, ""), "/proc/", "/sys/", "/dev/")) or ".dist-info" in path:
        return True
    installed = path.startswith(_installed()) and not path.startswith(os.path.join(root, ""))
    return installed and (path.endswith((".py", ".so", ".pth", ".typed", ".cfg")) or os.path.isdir(path))


@memoized
def _installed() -> tuple[str, ...]:
    places = {sys.prefix, sys.base_prefix, *(sysconfig.get_paths()[kind] for kind in ("stdlib", "purelib", "platlib"))}
    return (*(os.path.join(place, "") for place in places), os.path.join(os.path.dirname(__file__), ""))
