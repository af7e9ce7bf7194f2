"""Debian's packages, fetched by apt and unpacked into a folder of ours: nothing is installed, no root is needed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.cache import Cache, digest_of
from edgekit.devices import process
from edgekit.devices.transport import Completed
from edgekit.errors import ToolsMissing

RELEASE = "bookworm"
BACKPORTS = f"{RELEASE}-backports"
UPDATE_S, FETCH_S, UNPACK_S = 180.0, 600.0, 120.0
INDEX_S = 600.0
"""Age in seconds up to which this process uses a mirror's index again: an older one may name packages that are gone."""
LISTED = "packages.txt"
"""File in every folder that lists its packages: a line `NAME_VERSION_ARCHITECTURE SHA-256` each."""
UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")
"""Folders that are not needed, and removed."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SETTINGS = """
APT::Architecture "{architecture}"; APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false"; APT::Sandbox::User ""; Acquire::Languages "none"; Debug::NoLocking "true";
Acquire::Retries "3"; Acquire::http::Timeout "30"; Acquire::https::Timeout "30";
Dir::Etc::SourceList "{index}/sources.list"; Dir::Etc::SourceParts "-"; Dir::Etc::Main "-"; Dir::Etc::Parts "-";
Dir::State "{root}/state"; Dir::State::Lists "{index}/lists"; Dir::State::status "{index}/status";
Dir::Cache::pkgcache "{index}/all.bin"; Dir::Cache::srcpkgcache "{index}/sources.bin";
Dir::Cache "{root}/cache"; Dir::Log "{root}/log";
"""


def host() -> str:
    """Name of this machine's architecture in Debian."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def fetched(packages: Sequence[str], architecture: str, cache: Cache, release: str = RELEASE) -> Path:
    """Fetch packages with all that they depend on, and return the cached folder in which they are unpacked.

    Raises ToolsMissing if there is no apt, no mirror, or one of the packages is not available.
    """
    key = {"schema": 1, "release": release, "architecture": architecture, "packages": sorted(packages)}

    def make(folder: Path) -> None:
        with _Apt.of(folder / ".apt", architecture) as apt:
            apt.download(packages, release)
            apt.unpack(folder)

    return cache.made().fetch(digest_of(key), make)[0]


def unpack_alone(package: str, architecture: str, folder: Path) -> None:
    """Fetch one package without those that it depends on, and unpack it into `folder`. Raises as `fetched` does."""
    with _Apt.of(folder / ".apt", architecture) as apt:
        apt.download_alone(package)
        apt.unpack(folder)


def command(folder: Path, program: str) -> list[str]:
    """Command line of `program`, a path in a folder that was fetched for this machine, with the libraries beside it.

    They are loaded by their own loader: this machine's libraries may be older, or others. A program that executes
    itself by /proc/self/exe would execute the loader; it needs `libraries` in LD_LIBRARY_PATH instead.
    """
    # Not /lib64's: that is a link to the absolute path, and so to this machine's own.
    loader = next(path for path in sorted(folder.glob("lib/*-linux-gnu/ld-linux-*.so.*")) if not path.is_symlink())
    return [str(loader), "--library-path", libraries(folder), str(folder / program)]


def libraries(folder: Path) -> str:
    """Value of LD_LIBRARY_PATH with the folders of libraries in a folder that was fetched."""
    # Those of Android's tools are in a folder of their own, which the tools know only by the path of an installation.
    places = ("*/*-linux-gnu", "usr/lib/*-linux-gnu", "usr/lib/*-linux-gnu/android")
    return ":".join(str(path) for place in places for path in sorted(folder.glob(place)))


@dataclass(frozen=True)
class _Index:
    """Index of a mirror, 0.1 GB, in a folder that lasts as long as this process: 2 s of CPU and a download each.

    The folder is the cache's: one whose process was stopped or killed is removed by the next.
    """

    sources: str
    """Text of its sources.list."""
    folder: Path
    updated: float = field(default_factory=time.monotonic)

    @classmethod
    def empty(cls, sources: str) -> _Index:
        """Make one that `apt-get update` is to fill."""
        held = contextlib.ExitStack()
        index = cls(sources, held.enter_context(Cache.of_downloads().made().scratch()))
        weakref.finalize(index, held.close)
        (index.folder / "lists/partial").mkdir(parents=True)
        (index.folder / "status").touch()
        (index.folder / "sources.list").write_text(sources)
        return index

    @property
    def current(self) -> bool:
        return self.folder.exists() and time.monotonic() - self.updated < INDEX_S


_indexes: dict[tuple[str, str, str], _Index] = {}
_indexing = threading.Lock()


@dataclass(frozen=True)
class _Apt:
    """An apt with a state of its own: of this machine it uses the mirror only. Its folder is removed at the end."""

    root: Path

    @classmethod
    def of(cls, root: Path, architecture: str) -> _Apt:
        for folder in ("state/lists/partial", "cache/archives/partial", "log"):
            (root / folder).mkdir(parents=True)
        sources, own = _sources(), _own_proxies()
        with _indexing:
            known = _indexes.get((architecture, sources, own))
            index = known if known and known.current else _Index.empty(sources)
            settings = SETTINGS.format(architecture=architecture, root=root, index=index.folder)
            (root / "apt.conf").write_text(own + settings)
            apt = cls(root)
            if index is not known:
                apt._apt("update", "-q", "--error-on=any", timeout=UPDATE_S)
                _indexes[architecture, sources, own] = index
        return apt

    def __enter__(self) -> _Apt:
        return self

    def __exit__(self, *exc: object) -> None:
        shutil.rmtree(self.root)

    def download(self, packages: Sequence[str], release: str) -> None:
        options = ("install", "-q", "--yes", "--download-only", "--target-release", release)
        self._apt(*options, *packages, timeout=FETCH_S)

    def download_alone(self, package: str) -> None:
        # It writes to the folder that it is started in, and to no other.
        script = 'cd "$0" && exec apt-get download -q "$1"'
        archives = self.root / "cache/archives"
        argv = ["sh", "-c", script, str(archives), f"{package}/{RELEASE}"]
        _run_checked(argv, timeout=FETCH_S, env=self._environment)

    def unpack(self, folder: Path) -> None:
        archives = sorted((self.root / "cache/archives").glob("*.deb"))
        for archive in archives:
            _run_checked(["dpkg", "--extract", str(archive), str(folder)], timeout=UNPACK_S)
        for name in UNREAD:
            shutil.rmtree(folder / name, ignore_errors=True)
        lines = (f"{path.stem} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in archives)
        (folder / LISTED).write_text("".join(lines))

    def _apt(self, *argv: str, timeout: float) -> None:
        _run_checked(["apt-get", *argv], timeout=timeout, env=self._environment)

    @property
    def _environment(self) -> dict[str, str]:
        return {"APT_CONFIG": str(self.root / "apt.conf"), "LC_ALL": "C"}


def _sources() -> str:
    """Text of apt's sources.list: the mirror in EDGEKIT_DEBIAN, else that of this machine's apt, with its keyring."""
    keyring = os.environ.get("EDGEKIT_DEBIAN_KEYRING", "/usr/share/keyrings/debian-archive-keyring.gpg")
    mirror = os.environ.get("EDGEKIT_DEBIAN") or _own_mirror()
    if not Path(keyring).is_file():
        raise ToolsMissing(f"there is no '{keyring}': Debian's packages cannot be verified", hint=_KEYRING)
    return "".join(f"deb [signed-by={keyring}] {mirror} {suite} main\n" for suite in (RELEASE, BACKPORTS))


_KEYRING = "apt-get install debian-archive-keyring, or EDGEKIT_DEBIAN_KEYRING=FILE"
_INDEX = re.compile(r"^'(\S+/debian)/+dists/([a-z]+)\S*/(?:In)?Release' ", re.MULTILINE)


def _own_mirror() -> str:
    """Mirror that this machine's apt would update from, also where it has never been updated."""
    listing = _run_checked(["apt-get", "update", "--print-uris"], timeout=UPDATE_S, env={"LC_ALL": "C"})
    # A mirror of Debian itself: those of its security team and of others hold other things.
    for mirror, suite in _INDEX.findall(listing.stdout):
        if suite in _SUITES:
            return str(mirror)
    raise ToolsMissing(
        "this machine's apt knows no mirror of Debian", hint="EDGEKIT_DEBIAN=URL of one, which ends in /debian"
    )


def _own_proxies() -> str:
    """Proxy settings of this machine's apt."""
    dumped = _run_checked(["apt-config", "dump"], timeout=UPDATE_S).stdout.splitlines(keepends=True)
    return "".join(line for line in dumped if re.match("Acquire::https?::", line))


_SUITES = ("bullseye", "bookworm", "trixie", "forky", "sid", "oldoldstable", "oldstable", "stable", "testing")


def _run_checked(argv: Sequence[str], *, timeout: float, env: dict[str, str] | None = None) -> Completed:
    if shutil.which(argv[0]) is None:
        raise ToolsMissing(f"there is no '{argv[0]}' here", hint="emulation needs apt and dpkg: Debian or Ubuntu")
    ended = process.run(argv, timeout=timeout, env=env)
    if ended.returncode:
        errors = [line for line in ended.stderr.splitlines() if line.startswith(("E:", "Err", "dpkg"))]
        last = " | ".join(errors[:3]) or ended.stderr.strip()[-300:]
        raise ToolsMissing(f"'{argv[0]}' failed: {last}", hint="is Debian's mirror reachable? EDGEKIT_DEBIAN=URL")
    return ended
