"""Wheels for the device, fetched by pip and unpacked: nothing is installed, nothing of them runs here."""

from __future__ import annotations

import stat
import sys
import zipfile
from pathlib import Path, PurePosixPath

from edgekit.cache import SEAL, Cache, digest_of, file_digest, storage_errors
from edgekit.devices import process
from edgekit.errors import PackError
from edgekit.untrusted.npy import DAMAGED

FETCH_S = 600.0
LISTED = "wheel.txt"
"""File in every folder with the wheel's name and its SHA-256."""
PYTHON = "311"
PLATFORMS = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)))
"""Platform tags up to the glibc in a pack, Debian 12's 2.36."""


def fetched(distribution: str, version: str, cache: Cache) -> Path:
    """Fetch the wheel of a distribution, without its dependencies, and return the cached folder with its files.

    Raises PackError if there is no pip, no such wheel, or it would write outside its folder.
    """
    key = {"schema": 1, "wheel": distribution, "version": version, "python": PYTHON, "platforms": PLATFORMS}

    def make(folder: Path) -> None:
        wheel = _downloaded(distribution, version, folder / ".pip")
        listed = f"{wheel.name} {file_digest(wheel)}\n"
        unpack(wheel, folder)
        wheel.unlink()
        wheel.parent.rmdir()
        (folder / LISTED).write_text(listed)

    return cache.made().fetch(digest_of(key), make)[0]


def files(folder: Path) -> list[str]:
    """Paths of the wheel's files in a folder that was fetched, relative to it."""
    paths = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in paths if path not in (LISTED, SEAL)]


def unpack(wheel: Path, folder: Path) -> None:
    """Unpack a wheel into `folder`. Raises PackError if a file is damaged, is a link, or would lie elsewhere."""
    try:
        with storage_errors(folder), zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                _check(entry, wheel.name)
                archive.extract(entry, folder)
    except DAMAGED as error:
        raise PackError(f"'{wheel.name}' is damaged: {error}", hint="is there a proxy that changes files?") from error


def _check(entry: zipfile.ZipInfo, name: str) -> None:
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or stat.S_ISLNK(entry.external_attr >> 16):
        raise PackError(f"'{name}' holds '{entry.filename}', which is no plain file of its own")


def _downloaded(distribution: str, version: str, folder: Path) -> Path:
    requirement = f"{distribution}=={version}"
    platforms = (f"--platform={platform}" for platform in PLATFORMS)
    abis = (f"--abi={abi}" for abi in (f"cp{PYTHON}", "abi3", "none"))
    options = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
    kind = (f"--python-version={PYTHON}", "--implementation=cp", *abis, *platforms)
    pip = [sys.executable, "-m", "pip", "download", *options, *kind, "--dest", str(folder), requirement]
    ended = process.run(pip, timeout=FETCH_S)
    if "No module named pip" in ended.stderr:
        raise PackError("this Python has no pip to fetch wheels with", hint=f"{sys.executable} -m ensurepip")
    if ended.returncode:
        errors = [line.removeprefix("ERROR: ") for line in ended.stderr.splitlines() if line.startswith("ERROR")]
        last = errors[-1] if errors else ended.stderr.strip()[-300:]
        raise PackError(
            f"there is no '{requirement}' for the device: {last}", hint=f"pip index versions {distribution}"
        )
    return next(iter(folder.glob("*.whl")))
