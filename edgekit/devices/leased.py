"""One flash at a time: a device says who is at it, and a host that dies holds it for two minutes at most."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
from collections.abc import Iterator

from edgekit.devices.answers import Done, Status
from edgekit.devices.onboard import QUICK_S, Runner
from edgekit.errors import EdgekitError


@contextlib.contextmanager
def leased(runner: Runner) -> Iterator[tuple[str, Status]]:
    """The token to show with every change, and how the device's slots are. Raises DeviceBusy if another flashes it."""
    token, root = secrets.token_hex(8), runner.transport.root
    try:
        yield token, runner.ask(Status, "slots", "lease", root, token, "--who", _who(), timeout=QUICK_S)
    finally:
        # A lost link ends it too, only later: what went wrong before is what must be told.
        with contextlib.suppress(EdgekitError):
            runner.ask(Done, "slots", "release", root, token, timeout=QUICK_S)


def _who() -> str:
    """As people of a house know each other: user, machine and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"
