"""A virtual environment for a server, made once: what it needs must not meddle with what edgekit needs."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgekit.cache import Cache, digest_of
from edgekit.devices import process
from edgekit.errors import CommandFailed, ServerNotStarted
from edgekit.servers.kinds import PYTHONS, Kind

INSTALL_S = 1200.0
"""Triton is 200 MB to fetch."""
ASK_S = 30.0
# Its version, and the folder of its library: empty where the loader finds that by itself, None where there is none.
ASK = """
import ctypes, ensurepip, json, os, sys, sysconfig
name, folder = sysconfig.get_config_var("INSTSONAME") or "", sysconfig.get_config_var("LIBDIR") or ""
found = None
for place in ("", folder):
    try:
        ctypes.CDLL(os.path.join(place, name)) if ".so" in name else 1 / 0
        found = place
        break
    except (OSError, ZeroDivisionError):
        pass
print(json.dumps([sys.executable, sys.version.split()[0], found]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python on this machine."""

    path: str
    version: str
    library: str | None
    """The folder of `libpython`; empty where the loader finds it, None where there is none."""


@dataclass(frozen=True)
class ServerEnvironment:
    """A virtual environment that is whole."""

    folder: Path
    interpreter: Interpreter

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def variables(self, path: Path) -> dict[str, str]:
        """What a process of it is started with: the modules in the folder `path`, and nothing of the user's own."""
        library = {"LD_LIBRARY_PATH": self.interpreter.library} if self.interpreter.library else {}
        return {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1", **library}


def environment(
    kind: Kind, requirements: tuple[str, ...], cache: Cache, tell: Callable[[str], None]
) -> ServerEnvironment:
    """The one with these requirements; installed by pip, by the user's own settings, if it is not there yet.

    Raises ServerNotStarted if there is no Python for it, or pip cannot install it; StorageError.
    """
    interpreter = suitable(kind)
    key = digest_of({"schema": 1, "server": requirements, "python": [interpreter.path, interpreter.version]})

    def make(folder: Path) -> None:
        tell(f"installing {kind.name}, once")
        _install(interpreter, requirements, folder)

    with _locked(cache.made().root):
        return ServerEnvironment(cache.fetch(key, make)[0], interpreter)


def suitable(kind: Kind) -> Interpreter:
    """A Python of this machine that can run the server: the system's, ours, or another on PATH."""
    low, high = (".".join(map(str, version)) for version in PYTHONS)
    seen = []
    for path in _pythons():
        found = _asked(path)
        if found is None:
            continue
        seen.append(f"{found.path} {found.version}")
        if PYTHONS[0] <= _minor(found) <= PYTHONS[1] and (found.library is not None or not kind.shared_python):
            return found
    shared = " with a shared library" if kind.shared_python else ""
    raise ServerNotStarted(
        f"{kind.name} needs a Python {low} to {high}{shared} and with 'venv'; here are {', '.join(seen) or 'none'}",
        hint="sudo apt install python3 python3-venv libpython3-dev",
    )


def _pythons() -> Iterator[str]:
    # The system's own first: its library is where the loader looks.
    yield "/usr/bin/python3"
    yield sys.executable
    for minor in range(PYTHONS[1][1], PYTHONS[0][1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            yield found


def _asked(python: str) -> Interpreter | None:
    try:
        answer = process.run([python, "-c", ASK], timeout=ASK_S)
        return Interpreter(*json.loads(answer.stdout))
    except (CommandFailed, ValueError, TypeError):
        return None


def _minor(interpreter: Interpreter) -> tuple[int, ...]:
    return tuple(map(int, interpreter.version.split(".")[:2]))


def _install(interpreter: Interpreter, requirements: tuple[str, ...], folder: Path) -> None:
    python = str(folder / "bin" / "python")
    options = ("--quiet", "--no-input", "--disable-pip-version-check")
    for argv in (
        [interpreter.path, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", *options, *requirements],
    ):
        try:
            ended = process.run(argv, timeout=INSTALL_S)
        except CommandFailed as error:
            raise ServerNotStarted(
                f"{requirements[0]} could not be installed: {error}", hint="pip config list"
            ) from error
        if ended.returncode:
            said = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")] or ended.stderr.splitlines()
            # Without URLs: that of an index may hold a password.
            last = re.sub(r"\S+://\S+", "…", (said[-1] if said else f"exit {ended.returncode}").removeprefix("ERROR: "))
            raise ServerNotStarted(f"'{requirements[0]}' could not be installed: {last}", hint="pip config list")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One installs at a time: of two, the second finds what the first made."""
    descriptor = os.open(folder / "servers.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
