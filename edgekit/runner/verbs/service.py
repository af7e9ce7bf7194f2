"""Verb `service`: start or end the server of a root, in the background or as a unit of systemd."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..files.durable import read_json
from ..machine.own_command import own_command
from ..serve.served_slot import read_served
from ..serve.systemd_unit import SystemdUnit
from .serve import FILE, read_token

LOG = "serve.log"
SOCKET = "serve.sock"
READY_S, END_S = 120.0, 30.0
STEP_S = 0.1
MAX_BYTES = 1 << 16


class ServiceRequest(NamedTuple):
    """Request of a host."""

    root: Path
    options: tuple[str, ...]
    """Options of the verb `serve`, beside its socket."""
    token_file: Path | None
    """File of the token that clients must show."""
    at_boot: bool
    """True for a unit of systemd, which serves after every boot, too."""


def start(request: ServiceRequest) -> dict[str, Any]:
    """Start the server, in place of the one that runs, and wait until its model answers.

    Raises RunnerError: state if nothing is committed; system if it does not start, or its model does not load in time.
    """
    root = request.root
    own = own_command()
    argv = [*own.python, *own.program, "serve", str(root), "--socket", str(root / SOCKET), *request.options]
    if request.token_file is not None:
        request.token_file.chmod(0o600)
        argv += ["--token-file", str(request.token_file)]
    served = read_served(root)
    stop(root)
    survives = False
    if request.at_boot:
        survives = SystemdUnit.of(root).install(argv)
    else:
        _start_detached(argv, root / LOG)
    addresses = _wait_ready(root, read_token(request.token_file))
    unit = str(SystemdUnit.of(root).path) if request.at_boot else None
    return {"addresses": addresses, "unit": unit, "at_boot": survives, "python": list(served.python or own.python)}


def stop(root: Path) -> dict[str, Any]:
    """End the server, and remove its unit; `changed` is False if there was neither."""
    removed = SystemdUnit.of(root).remove()
    running = _running(root)
    if running is not None:
        os.kill(running, signal.SIGTERM)
        until = time.monotonic() + END_S
        while _running(root) is not None:
            if time.monotonic() > until:
                raise RunnerError("system", f"the server of '{root}' has not ended within {END_S:g} s")
            time.sleep(STEP_S)
    return {"changed": removed or running is not None}


def _running(root: Path) -> int | None:
    """Process of the server of that root; None if there is none."""
    with contextlib.suppress(RunnerError, OSError, ValueError, TypeError):
        written = read_json(root / FILE, "garbled") or {}
        pid = int(written.get("pid", 0))
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        # Another process may have its number by now.
        if pid > 1 and b"serve" in words and os.fsencode(root) in words:
            return pid
    return None


def _start_detached(argv: list[str], log: Path) -> None:
    """Start a program that outlives this one, and the session of whoever asked."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))} if "-m" in argv else None
    with log.open("wb") as out:
        subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env=environment
        )


def _wait_ready(root: Path, token: str | None) -> list[str]:
    """Wait until the model answers; addresses of the server."""
    until = time.monotonic() + READY_S
    why = "it does not start"
    while time.monotonic() < until:
        if _running(root) is not None:
            why = _why_not_ready(root / SOCKET, token)
            if not why:
                written = read_json(root / FILE, "garbled") or {}
                return list(written["addresses"])
        time.sleep(STEP_S)
    raise RunnerError("system", f"the server of '{root}' does not answer within {READY_S:g} s: {why}")


def _why_not_ready(path: Path, token: str | None) -> str:
    """Reason why the model does not answer yet; empty if it does. A runtime pack's Python has no http.client."""
    authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.settimeout(5.0)
            opened.connect(str(path))
            opened.sendall(f"GET /v2/health/ready HTTP/1.1\r\n{authorization}Connection: close\r\n\r\n".encode())
            while len(answer) < MAX_BYTES and (chunk := opened.recv(MAX_BYTES)):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 200 "):
            return ""
        return str(json.loads(body)["error"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
