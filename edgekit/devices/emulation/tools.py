"""QEMU's programs: this machine's own where they are new enough, else Debian's, fetched into the cache."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from edgekit.cache import Cache
from edgekit.devices import debian, process
from edgekit.errors import CommandFailed, ToolsMissing

OLDEST = (10, 0)
"""Oldest QEMU that is used: 7.2 crashes onnxruntime 1.31 and ai-edge-litert 2.3 at their first inference."""
PACKAGES = ("qemu-system-arm", "qemu-utils")
INSTALL = f"apt-get install --target-release {debian.BACKPORTS} {' '.join(PACKAGES)}"
ASK_S = 20.0


@dataclass(frozen=True)
class Tools:
    """Command lines of the programs."""

    qemu: tuple[str, ...]
    qemu_img: tuple[str, ...]
    version: str
    """Version of QEMU: a snapshot resumes only in the version that wrote it."""


def find_tools(cache: Cache) -> Tools:
    """Find QEMU for Arm and its disk tool.

    Raises ToolsMissing if this machine's are missing or too old, and Debian's cannot be fetched.
    """
    programs = tuple(shutil.which(name) for name in ("qemu-system-aarch64", "qemu-img"))
    version = _version((programs[0],)) if programs[0] else None
    if programs[0] and programs[1] and version and _number(version) >= OLDEST:
        return Tools((programs[0],), (programs[1],), version)
    try:
        return _fetched(cache)
    except ToolsMissing as error:
        here = f"is {version}, which is too old" if version else "is not here"
        oldest = ".".join(map(str, OLDEST))
        raise ToolsMissing(
            f"QEMU {oldest} or later is needed, qemu-system-aarch64 {here}, and it could not be fetched: {error}",
            hint=f"{INSTALL}; {error.hint}",
        ) from error


def _fetched(cache: Cache) -> Tools:
    folder = debian.fetched(PACKAGES, debian.host(), cache, debian.BACKPORTS)
    qemu = (*debian.command(folder, "usr/bin/qemu-system-aarch64"), "-L", str(folder / "usr/share/qemu"))
    version = _version(qemu)
    if version is None:
        raise ToolsMissing("Debian's QEMU does not run on this machine", hint=INSTALL)
    return Tools(qemu, tuple(debian.command(folder, "usr/bin/qemu-img")), version)


def _version(qemu: tuple[str, ...]) -> str | None:
    try:
        output = process.run([*qemu, "--version"], timeout=ASK_S).stdout
    except CommandFailed:
        return None
    match = re.search(r"version (\d+\.\d+\.\d+)", output)
    return match.group(1) if match else None


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
