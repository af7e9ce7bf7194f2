"""The `adb` program, and the server through which it reaches devices: the user's, or one of our own."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from edgekit.cache import Cache
from edgekit.devices import debian, process
from edgekit.devices.transport import Completed
from edgekit.errors import CommandFailed, ToolsMissing, Unreachable

ASK_S = 20.0
"""Time limit of what a server answers by itself."""
START_S = 20.0
FOLDER_CHARACTERS = 60
"""The path of a unix socket has at most 107 bytes, on macOS 103; the longest name below the folder has 28."""
PROGRAM = "usr/lib/android-sdk/platform-tools/adb"
ALONE = {"ADB_USB": "0", "ADB_EMU": "0", "ADB_MDNS": "0"}
"""A server that looks for no devices of its own: those on USB can have one server only, which is the user's."""


@dataclass(frozen=True)
class Listed:
    """A device that a server knows."""

    serial: str
    state: str
    """`device` if it is ready, else what adb says: `offline`, `unauthorized`, `no permissions (…)` …"""


@dataclass(frozen=True)
class Server:
    """A server that devices are reached through, and the `adb` program that asks it."""

    command: tuple[str, ...]
    socket: str | None = None
    """As `adb -L` takes it. None is the user's own: ADB_SERVER_SOCKET, ANDROID_ADB_SERVER_PORT, or port 5037."""

    def ask(self, *argv: str, timeout: float) -> Completed:
        """What `adb ARGV…` comes to. Raises CommandFailed if it has not ended after `timeout` seconds."""
        return process.run(self.argv(*argv), timeout=timeout)

    def argv(self, *argv: str) -> tuple[str, ...]:
        """How a program is started that asks the server."""
        return (*self.command, *(("-L", self.socket) if self.socket else ()), *argv)

    def devices(self) -> tuple[Listed, ...]:
        """All devices of the server. Raises Unreachable if the server gives no answer."""
        answer = self.told("devices")
        if answer.returncode:
            raise Unreachable(f"adb's server gives no answer: {last_line(answer)}", hint=_RESTART)
        rows = (line.split("\t", 1) for line in answer.stdout.splitlines() if "\t" in line)
        return tuple(Listed(serial, state) for serial, state in rows)

    def told(self, *argv: str) -> Completed:
        """What the server answers by itself. Raises Unreachable if it does not in time."""
        try:
            return self.ask(*argv, timeout=ASK_S)
        except CommandFailed as error:
            raise Unreachable(f"adb's server gives no answer: {error}", hint=_RESTART) from error


_RESTART = "adb kill-server && adb start-server, then try again"


@contextlib.contextmanager
def users_server() -> Iterator[Server]:
    """The user's adb with the user's server. Who has no adb gets Debian's, and while this is open, a server.

    Raises ToolsMissing if there is no adb and none can be fetched, Unreachable if no server starts.
    """
    server = Server(program())
    if shutil.which("adb") or server.told("devices").returncode == 0:
        yield server
        return
    with _started(server.command, alone=False) as own:
        yield own


@contextlib.contextmanager
def private_server(command: Sequence[str] = ()) -> Iterator[Server]:
    """A server that nobody else sees, by a socket in a folder of its own, with a key of its own.

    It touches no device but those that it is told to connect to, and is gone at the end, also if this process is
    killed. `command` starts adb, `program()` if it is empty. Raises ToolsMissing, or Unreachable if it does not start.
    """
    with _started(command or program(), alone=True) as server:
        yield server


def program() -> tuple[str, ...]:
    """How to start adb: the user's own, else Debian's. Raises ToolsMissing."""
    own = shutil.which("adb")
    if own:
        return (own,)
    try:
        folder = debian.fetched(["adb"], debian.host(), Cache.of_downloads(), debian.BACKPORTS)
    except ToolsMissing as error:
        raise ToolsMissing(f"there is no adb here, and {error}", hint="apt-get install adb") from error
    return tuple(debian.command(folder, PROGRAM))


@contextlib.contextmanager
def _started(command: Sequence[str], *, alone: bool) -> Iterator[Server]:
    short = None if len(tempfile.gettempdir()) < FOLDER_CHARACTERS else "/tmp"  # noqa: S108 it is made 0700
    with tempfile.TemporaryDirectory(prefix="edgekit-adb-", dir=short) as folder, contextlib.ExitStack() as opened:
        path = Path(folder) / "socket"
        server = Server(tuple(command), f"localfilesystem:{path}")
        opened.callback(_no_other, server)
        env = {**ALONE, "HOME": folder} if alone else {}
        argv = server.argv("server", "nodaemon")
        _wait_for(path, opened.enter_context(process.background(argv, Path(folder), env=env)))
        yield server


def _no_other(server: Server) -> None:
    """A client that finds no server starts one: had ours died, another would be there when we are gone."""
    with contextlib.suppress(CommandFailed):
        server.ask("kill-server", timeout=ASK_S)


def _wait_for(path: Path, log: Path) -> None:
    deadline = monotonic() + START_S
    while monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as end, contextlib.suppress(OSError):
            end.connect(str(path))
            return
        sleep(0.01)
    said = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise Unreachable(f"adb's server did not start within {START_S:g} s: {''.join(said)}")


def last_line(answer: Completed) -> str:
    """The last thing that adb said, without its name, or that of its loader, before it."""
    lines = f"{answer.stdout}\n{answer.stderr}".strip().splitlines() or [f"exit {answer.returncode}"]
    return re.sub(r"^(adb|error|ld-linux\S*): (error: )?", "", lines[-1])
