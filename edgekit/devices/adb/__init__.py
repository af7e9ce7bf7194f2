"""`adb://`: an Android device, or another on which adbd runs, on USB or on the network."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import ClassVar, Self
from urllib.parse import unquote, urlsplit

from edgekit.devices.adb.serial import reach, refusal
from edgekit.devices.adb.server import Server, users_server
from edgekit.devices.command_log import logged_connection
from edgekit.devices.shell import Shell
from edgekit.devices.transport import Completed, DeviceKind
from edgekit.errors import EdgekitError, OptionError

ROOT = "/data/local/tmp/edgekit"


@dataclass(frozen=True)
class Adb(Shell):
    """`adb://SERIAL` on USB, `adb://HOST:PORT` on the network, `adb://` the only one there is; a path is its root.

    Needs shell protocol 2 (Android 7), and goes through the user's adb server, or `server`. Raises OptionError if the
    URL is none of these. `__enter__` raises ToolsMissing if there is no adb, Unreachable, AuthenticationRefused or
    DeviceAmbiguous.
    """

    kind: ClassVar[DeviceKind] = "device"
    python: ClassVar[str] = "python3"

    server: Server | None = None
    """Server to use instead of the user's, such as that of `private_server`."""
    root: PurePosixPath = field(init=False)
    _asked: str = field(init=False, repr=False)
    _way: tuple[str, ...] = field(init=False, repr=False, default=())
    _opened: contextlib.ExitStack = field(init=False, repr=False, compare=False, default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        serial, path = _parts(self.url)
        object.__setattr__(self, "_asked", serial)
        object.__setattr__(self, "root", PurePosixPath(path if path.strip("/") else ROOT))

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            server = self.server or opened.enter_context(users_server())
            with logged_connection(self.url):
                serial = reach(server, self._asked, self.url)
            object.__setattr__(self, "_way", server.argv("-s", serial, "shell", "-T"))
            object.__setattr__(self, "_opened", opened.pop_all())
        return self

    def __exit__(self, *exc: object) -> None:
        self._opened.close()

    def client(self, line: str) -> Sequence[str]:
        return [*self._way, line]

    def failure(self, ended: Completed) -> EdgekitError | None:
        return refusal(self.url, ended.stderr)


def _parts(url: str) -> tuple[str, str]:
    """Parse the serial or address, and the path. Raises OptionError."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _no_url(url) from error
    serial, path = unquote(parts.netloc), unquote(parts.path)
    port = re.search(r":(.*)", serial.rpartition("]")[2])
    if parts.scheme != "adb" or parts.query or parts.fragment or re.search(r"[^!-~]", serial):
        raise _no_url(url)
    if port and not (re.fullmatch(r"\d{1,5}", port[1], re.ASCII) and 0 < int(port[1]) < 1 << 16):
        raise _no_url(url)
    if "\0" in path or ".." in path.split("/"):
        raise _no_url(url)
    return serial, path


def _no_url(url: str) -> OptionError:
    hint = "adb://SERIAL, adb://HOST:PORT, or adb:// if there is one only; then /FOLDER, if you like"
    return OptionError(f"'{url}' is no adb device", hint=hint)
