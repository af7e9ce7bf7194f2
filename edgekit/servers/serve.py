"""Serve a bundle by a real server, on loopback, during a block."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from edgekit.bundle.archive import Bundle
from edgekit.cache import Cache, storage_errors
from edgekit.devices import process
from edgekit.errors import ServerNotStarted
from edgekit.servers.environment import environment
from edgekit.servers.kinds import KINDS, requirements

HOST = "127.0.0.1"
START_S = 120.0
"""Time limit in seconds until a server is ready, with its runtime imported and the model loaded."""
GRACE_S = 8.0
LOOK_S = 0.1
ROOM = 30
SHORT = "/tmp"  # noqa: S108 only a folder of our own is made in it
SHOWN = 3
"""Count of the last lines of its log that an error shows."""
PACKAGES = (Path(__file__).parents[1] / "runner", Path(__file__).parent / "inside")


@dataclass(frozen=True)
class ServerPorts:
    """Ports of a server on 127.0.0.1."""

    http: int
    grpc: int

    @classmethod
    def free(cls) -> ServerPorts:
        """Find two free ports."""
        with socket.socket() as one, socket.socket() as other:
            for listener in (one, other):
                listener.bind((HOST, 0))
            return cls(one.getsockname()[1], other.getsockname()[1])


@dataclass(frozen=True)
class Live:
    """A server that is ready, and its addresses."""

    server: str
    model: str
    url: str
    grpc_url: str
    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Wait until it ends, which it does not by itself. Raises ServerNotStarted if it does."""
        self.process.wait()
        raise ServerNotStarted(f"{self.server} ended, exit {self.process.returncode}", hint="start it again")


@contextlib.contextmanager
def serving(
    bundle: Bundle, server: str, ports: ServerPorts, cache: Cache, tell: Callable[[str], None]
) -> Iterator[Live]:
    """Serve the model of a bundle under the name of its project; nothing of it is left at the end.

    Raises ServerNotStarted if a port is taken, it cannot be installed, or does not come up; StorageError.
    """
    kind, name = KINDS[server], bundle.manifest.name
    for flag, port in (("--port", ports.http), ("--grpc-port", ports.grpc)):
        _check_free(flag, port)
    server_environment = environment(kind, requirements(kind, bundle.manifest), cache, tell)
    with contextlib.ExitStack() as stack:
        with storage_errors(Path(tempfile.gettempdir())):
            # A server whose input is closed removes the folder itself.
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_short(), ignore_cleanup_errors=True)))
            stack.callback(_remove_model_copies, scratch)
            for package in PACKAGES:
                shutil.copytree(package, scratch / package.name, ignore=shutil.ignore_patterns("__pycache__"))
            bundle.extract(scratch / "slot")
        tell(f"starting {server}")
        argv = [
            server_environment.python,
            "-m",
            "inside",
            server,
            str(scratch / "slot"),
            name,
            str(ports.http),
            str(ports.grpc),
        ]
        log = scratch / "log"
        started = stack.enter_context(_server_process(argv, log, server_environment.variables(scratch)))
        _await(server, started, log, name, ports)
        yield Live(
            server=server,
            model=name,
            url=f"http://{HOST}:{ports.http}/v2/models/{quote(name)}",
            grpc_url=f"grpc://{HOST}:{ports.grpc}/{quote(name)}",
            process=started,
        )


@contextlib.contextmanager
def _server_process(argv: list[str], log: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server as long as the block; remove the shared memory that its killed processes leave."""
    started = None
    try:
        with process.attended(argv, log, grace=GRACE_S, env=env) as started:
            yield started
    finally:
        if started is not None:
            # pytriton names it by its process; a model's process that is killed as it ends leaves it there.
            for path in Path("/dev/shm").glob(f"pytrtion{started.pid}-*"):  # noqa: S108
                with contextlib.suppress(OSError):
                    path.unlink()


def _remove_model_copies(scratch: Path) -> None:
    """Remove the copies of a model that a killed Triton left in /tmp; their configuration names the server's folder."""
    for path in Path("/tmp").glob(f"folder{'?' * 6}"):  # noqa: S108  Triton's own, whatever TMPDIR is
        with contextlib.suppress(OSError, ValueError):
            if f'"{scratch}/' in (path / "config.pbtxt").read_text("utf-8"):
                shutil.rmtree(path)


def _short() -> str | None:
    """Folder for sockets with a short path: it has 107 bytes (Linux, unix(7)), and Triton's workspace takes 60."""
    return SHORT if len(tempfile.gettempdir()) > ROOM and os.access(SHORT, os.W_OK) else None


def _check_free(flag: str, port: int) -> None:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was closed a moment ago is free
        try:
            tried.bind((HOST, port))
        except OSError as error:
            raise ServerNotStarted(
                f"port {port} of {HOST} cannot be listened on: {error.strerror}", hint=f"{flag} N with another one"
            ) from error


def _await(server: str, started: subprocess.Popen[bytes], log: Path, name: str, ports: ServerPorts) -> None:
    deadline = time.monotonic() + START_S
    while not (_ready(name, ports.http) and _listens(ports.grpc)):
        if started.poll() is not None:
            raise ServerNotStarted(f"{server} ended at its start: {_last(log)}", hint="the other one? --server …")
        if time.monotonic() > deadline:
            raise ServerNotStarted(f"{server} was not ready within {START_S:.0f} s: {_last(log)}", hint="try again")
        time.sleep(LOOK_S)


def _ready(name: str, port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", f"/v2/models/{quote(name)}/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=5).close()
    except OSError:
        return False
    return True


def _last(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join(lines[-SHOWN:]) or "it said nothing"
