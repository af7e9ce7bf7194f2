"""Virtual environment of a server, made once: its requirements must not change edgekit's own."""

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
"""Time limit in seconds of an installation: Triton has 200 MB."""
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
    """Folder of `libpython`; empty where the loader finds it, None where there is none."""


@dataclass(frozen=True)
class ServerEnvironment:
    """An installed virtual environment."""

    folder: Path
    interpreter: Interpreter

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def variables(self, path: Path) -> dict[str, str]:
        """Environment variables of a process in it: the modules in the folder `path`, and nothing of the user's own."""
        library = {"LD_LIBRARY_PATH": self.interpreter.library} if self.interpreter.library else {}
        return {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1", **library}


def environment(
    kind: Kind, requirements: tuple[str, ...], cache: Cache, tell: Callable[[str], None]
) -> ServerEnvironment:
    """Find the environment with these requirements, or install it by pip, with the user's own settings of pip.

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
    """Find a Python of this machine that can run the server: the system's, edgekit's, or another on PATH.

    Raises ServerNotStarted.
    """
    low, high = (".".join(map(str, version)) for version in PYTHONS)
    candidates = []
    for path in _pythons():
        interpreter = _asked(path)
        if interpreter is None:
            continue
        candidates.append(f"{interpreter.path} {interpreter.version}")
        has_library = interpreter.library is not None or not kind.shared_python
        if PYTHONS[0] <= _minor(interpreter) <= PYTHONS[1] and has_library:
            return interpreter
    shared, present = " with a shared library" if kind.shared_python else "", ", ".join(candidates) or "none"
    raise ServerNotStarted(
        f"{kind.name} needs a Python {low} to {high}{shared} and with 'venv'; here are {present}",
        hint="sudo apt install python3 python3-venv libpython3-dev",
    )


def _pythons() -> Iterator[str]:
    # The system's own first: its library is where the loader looks.
    yield "/usr/bin/python3"
    yield sys.executable
    for minor in range(PYTHONS[1][1], PYTHONS[0][1] - 1, -1):
        path = shutil.which(f"python3.{minor}")
        if path:
            yield path


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
            errors = [
                line for line in ended.stderr.splitlines() if line.startswith("ERROR")
            ] or ended.stderr.splitlines()
            # Without URLs: that of an index may hold a password.
            last = re.sub(
                r"\S+://\S+", "…", (errors[-1] if errors else f"exit {ended.returncode}").removeprefix("ERROR: ")
            )
            raise ServerNotStarted(f"'{requirements[0]}' could not be installed: {last}", hint="pip config list")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder, so that of two processes the second finds the environment of the first."""
    descriptor = os.open(folder / "servers.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
