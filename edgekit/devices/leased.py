"""One flash at a time: a device says who is at it. A host that dies holds it for two minutes; while the model tests
itself, or its engine is built, for as long as that may take."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
from collections.abc import Iterator

from edgekit.devices.answers import Done
from edgekit.devices.onboard import QUICK_S, Runner
from edgekit.errors import EdgekitError


@contextlib.contextmanager
def leased(runner: Runner) -> Iterator[str]:
    """The token to begin with and to show with every change. The last one gives it back; if none comes to be, this."""
    token = secrets.token_hex(8)
    try:
        yield token
    except BaseException:
        # A lost link ends it too, only later: what went wrong before is what must be told.
        with contextlib.suppress(EdgekitError):
            release(runner, token)
        raise


def release(runner: Runner, token: str) -> None:
    """Give back what is held by `token`, if anything is."""
    runner.ask(Done, "slots", "release", runner.transport.root, token, timeout=QUICK_S)


def me() -> str:
    """As people of a house know each other: user, machine and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"
