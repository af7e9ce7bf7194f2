"""Lease of a device: one host flashes at a time.

The lease of a host that dies ends after two minutes, or after the time that its transfer may take.
"""

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
    """Yield the lease token for a flash of that bundle.

    The last verb of a flash releases the lease; if the flash fails before that, it is undone and released here.
    """
    token = HiddenWord(secrets.token_hex(8))
    try:
        yield token
    except BaseException:
        # With a lost link the lease ends by itself, only later. The first error must be reported.
        with contextlib.suppress(EdgekitError):
            runner.ask(Done, "slots", "abort", runner.transport.root, token, digest, timeout=QUICK_S)
        raise


def holder_name() -> str:
    """Name of this process as the holder of a lease, for people: user, machine and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}, process {os.getpid()}"
