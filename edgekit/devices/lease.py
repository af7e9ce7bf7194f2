"""One flash at a time: a device says who is at it. A host that dies holds it for two minutes, or as long as what it
sends may take."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
from collections.abc import Iterator

from edgekit.devices.command_log import HiddenWord
from edgekit.devices.protocol import Done
from edgekit.devices.runner_client import QUICK_S, Runner
from edgekit.errors import EdgekitError


@contextlib.contextmanager
def lease(runner: Runner, digest: str) -> Iterator[str]:
    """The token to flash that bundle with. On an error, what was begun with it is taken back, and the device free."""
    token = HiddenWord(secrets.token_hex(8))
    try:
        yield token
    except BaseException:
        # A lost link ends it too, only later: what went wrong before is what must be told.
        with contextlib.suppress(EdgekitError):
            runner.ask(Done, "slots", "abort", runner.transport.root, token, digest, timeout=QUICK_S)
        raise


def me() -> str:
    """As people of a house know each other: user, machine and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"
