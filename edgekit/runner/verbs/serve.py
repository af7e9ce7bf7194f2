"""Verb `serve`: serve what the device has committed, until it is ended."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import selectors
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..files.durable import write_json
from ..machine import system
from ..serve.routes import ProtocolRoutes
from ..serve.server import InferenceServer
from ..serve.worker_pool import PoolSettings, WorkerPool

FILE = "serve.json"
"""File in the device's root that says where the server listens, while it does."""
BACKLOG = 512
LEAST_TOKEN = 16
BODY_BYTES, BUFFERED_BYTES = 64 << 20, 256 << 20
RAM_SHARE = 8
"""Bodies of requests take an eighth of the memory at most."""


class ServeRequest(NamedTuple):
    """Request to serve a root."""

    root: Path
    address: str | None
    """`HOST:PORT`, port 0 for any; None for none."""
    socket: Path | None
    """Path of a Unix socket."""
    token_file: Path | None
    pool: PoolSettings
    check_s: float
    """Seconds between two verifications of the files that are served."""


def serve(request: ServeRequest) -> dict[str, Any]:
    """Serve until SIGTERM or SIGINT.

    Raises RunnerError: usage for an address beyond this machine without a token, data for a token that cannot be read,
    system for an address that cannot be listened on.
    """
    token = read_token(request.token_file)
    if request.address is None and request.socket is None:
        raise RunnerError("usage", "say where to listen: --address HOST:PORT, --socket PATH, or both")
    ram = system.info().get("ram_bytes") or RAM_SHARE * BUFFERED_BYTES
    buffered = max(1 << 20, min(BUFFERED_BYTES, ram // RAM_SHARE))
    with contextlib.ExitStack() as stack:
        listeners, shown = [], []
        if request.address is not None:
            listeners.append(stack.enter_context(contextlib.closing(_tcp(request.address, token))))
            shown.append("http://{}:{}".format(*listeners[-1].getsockname()[:2]))
        if request.socket is not None:
            listeners.append(stack.enter_context(_unix(request.socket)))
            shown.append(f"unix:{request.socket}")
        selector = stack.enter_context(selectors.DefaultSelector())
        pool = WorkerPool(selector, request.pool)
        routes = ProtocolRoutes(pool, _version(), token, min(BODY_BYTES, buffered), buffered)
        server = InferenceServer(request.root, listeners, selector, pool, routes, request.check_s)
        write_json(request.root / FILE, {"addresses": shown, "pid": os.getpid(), "token": token is not None})
        stack.callback((request.root / FILE).unlink, missing_ok=True)
        print(f"edgekit serve: listening on {' and '.join(shown)}", file=sys.stderr, flush=True)
        return {"stopped": server.run()}


def read_token(path: Path | None) -> str | None:
    """Read the token in a file; None without one. Raises RunnerError (data)."""
    if path is None:
        return None
    try:
        token = path.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise RunnerError("data", f"the token in '{path}' cannot be read: {error}") from error
    if len(token) < LEAST_TOKEN or not token.isprintable() or " " in token:
        raise RunnerError("data", f"the token in '{path}' is no word of {LEAST_TOKEN} characters or more")
    return token


def _tcp(address: str, token: str | None) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        place, number = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host), int(port)
        if not 0 <= number < 1 << 16:
            raise ValueError(f"there is no port {number}")
    except ValueError as error:
        raise RunnerError("usage", f"'{address}' is no address such as 127.0.0.1:8000: {error}") from error
    if not place.is_loopback and token is None:
        raise RunnerError("usage", f"'{address}' can be reached from other machines: that needs --token-file FILE")
    listener = socket.socket(socket.AF_INET6 if place.version == 6 else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(place), number))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise RunnerError("system", f"'{address}' cannot be listened on: {error.strerror}") from error
    return listener


@contextlib.contextmanager
def _unix(path: Path) -> Iterator[socket.socket]:
    """Listen on a path, which only this user may open, and remove it in the end. A dead server's is taken over."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        _remove_dead(path)
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise RunnerError("system", f"'{path}' cannot be listened on: {error.strerror or error}") from error
    try:
        path.chmod(0o600)
        listener.listen(BACKLOG)
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def _remove_dead(path: Path) -> None:
    """Remove a socket on which nobody listens. Raises OSError for any other file, and for one that is listened on."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise FileExistsError(None, "something else is there")
    with socket.socket(socket.AF_UNIX) as tried:
        try:
            tried.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise FileExistsError(None, "another server listens there")


def _version() -> str:
    """Version of the server: the name of the runner's program, which is made of its content."""
    program = Path(sys.argv[0])
    return program.stem if program.suffix == ".pyz" else "unpacked"
