"""The `adb` program, and the server through which it reaches devices: the user's, or a private one."""

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
"""Time limit in seconds of commands that a server answers without a device."""
START_S = 20.0
FOLDER_CHARACTERS = 60
"""The path of a unix socket has at most 107 bytes, on macOS 103; the longest name below the folder has 28."""
PROGRAM = "usr/lib/android-sdk/platform-tools/adb"
ALONE = {"ADB_USB": "0", "ADB_EMU": "0", "ADB_MDNS": "0"}
"""Environment of a server that looks for no devices: one on USB can have one server only, which is the user's."""


@dataclass(frozen=True)
class AdbDevice:
    """A device that a server lists."""

    serial: str
    state: str
    """State by adb: `device` if it is ready, else `offline`, `unauthorized`, `no permissions (…)` …"""


@dataclass(frozen=True)
class Server:
    """An adb server, and the `adb` program that talks to it."""

    command: tuple[str, ...]
    socket: str | None = None
    """Address for `adb -L`. None is the user's own: ADB_SERVER_SOCKET, ANDROID_ADB_SERVER_PORT, or port 5037."""

    def ask(self, *argv: str, timeout: float) -> Completed:
        """Run `adb ARGV…`. Raises CommandFailed if it has not ended after `timeout` seconds."""
        return process.run(self.argv(*argv), timeout=timeout)

    def argv(self, *argv: str) -> tuple[str, ...]:
        """Command line of `adb ARGV…` for this server."""
        return (*self.command, *(("-L", self.socket) if self.socket else ()), *argv)

    def devices(self) -> tuple[AdbDevice, ...]:
        """List the devices of the server. Raises Unreachable if the server gives no answer."""
        answer = self.told("devices")
        if answer.returncode:
            raise Unreachable(f"adb's server gives no answer: {last_line(answer)}", hint=_RESTART)
        rows = (line.split("\t", 1) for line in answer.stdout.splitlines() if "\t" in line)
        return tuple(AdbDevice(serial, state) for serial, state in rows)

    def told(self, *argv: str) -> Completed:
        """Run a command that the server answers without a device. Raises Unreachable if it does not in ASK_S."""
        try:
            return self.ask(*argv, timeout=ASK_S)
        except CommandFailed as error:
            raise Unreachable(f"adb's server gives no answer: {error}", hint=_RESTART) from error


_RESTART = "adb kill-server && adb start-server, then try again"


@contextlib.contextmanager
def users_server() -> Iterator[Server]:
    """Yield the user's adb server. Without an adb of the user's it is Debian's, with a server during the block.

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
    """Start a server that nobody else sees: a socket in a folder of its own, a key of its own.

    It touches no device but those that a client connects it to, and is gone at the end, also if this process is
    killed. command: command line of adb, `program()` if it is empty. Raises ToolsMissing, or Unreachable if it does
    not start.
    """
    with _started(command or program(), alone=True) as server:
        yield server


def program() -> tuple[str, ...]:
    """Command line of adb: the user's own, else Debian's. Raises ToolsMissing."""
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
    """Kill the server by its socket: had ours died, a client would have started another one there."""
    with contextlib.suppress(CommandFailed):
        server.ask("kill-server", timeout=ASK_S)


def _wait_for(path: Path, log: Path) -> None:
    deadline = monotonic() + START_S
    while monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as end, contextlib.suppress(OSError):
            end.connect(str(path))
            return
        sleep(0.01)
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise Unreachable(f"adb's server did not start within {START_S:g} s: {''.join(last)}")


def last_line(answer: Completed) -> str:
    """Last line of adb's output, without its name, or that of its loader, before it."""
    lines = f"{answer.stdout}\n{answer.stderr}".strip().splitlines() or [f"exit {answer.returncode}"]
    return re.sub(r"^(adb|error|ld-linux\S*): (error: )?", "", lines[-1])
