"""Transports: the way by which files and commands reach a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal, Protocol, Self


@dataclass(frozen=True)
class Completed:
    """Result of a command that ended by itself. Of long outputs only the end is kept."""

    argv: tuple[str, ...]
    stdout: str
    stderr: str
    returncode: int
    """Exit status as in `subprocess`: negative for the signal that ended the command."""


PULL_BYTES = 4 << 30
"""Default limit of `Transport.pull` in bytes: as large as a model may be."""
DeviceKind = Literal["local", "emulated", "device"]
"""Kind of a device: `local` is the machine that builds, standing in for a target; `emulated` has no time of its own."""


class Transport(Protocol):
    """A way to one device, made from its URL, and opened by `with`. Every method raises Unreachable without an answer.

    To write one:

    1. Parse the URL in `__init__`, without connecting. Raise OptionError if it is none of yours.
    2. Connect in `__enter__`, and leave nothing behind in `__exit__`, also after an error.
    3. Write `push`, `pull`, `run` and `free_bytes`. Where a client hands lines to a shell of the device, derive from
       `edgekit.devices.shell.Shell`, which has all four, and write `client` and `failure` only.
    4. Register the class by its URL scheme, in the entry-point group `edgekit.transports`:

           [project.entry-points."edgekit.transports"]
           serial = "my_package:Serial"

    Example: a device whose shell a program `tty-run` reaches, at `serial://ttyUSB0`:

        @dataclass(frozen=True)
        class Serial(Shell):
            kind: ClassVar[DeviceKind] = "device"
            python: ClassVar[str] = "python3"
            root: ClassVar[PurePosixPath] = PurePosixPath("/opt/edgekit")

            def __enter__(self) -> Self:
                self.ask(Script(":", {}))  # raises Unreachable if nothing answers
                return self

            def __exit__(self, *exc: object) -> None:
                return None

            def client(self, line: str) -> Sequence[str]:
                return ["tty-run", urlsplit(self.url).netloc, line]

            def failure(self, ended: Completed) -> EdgekitError | None:
                return None  # always: the connection was lost

    To log commands and files as the built-in transports do, see `edgekit.devices.command_log`; `Shell` does.
    """

    kind: ClassVar[DeviceKind]
    """Kind of the device."""

    def __init__(self, url: str) -> None: ...

    @property
    def url(self) -> str:
        """URL that the transport was made from."""
        ...

    @property
    def root(self) -> PurePosixPath:
        """Folder on the device that holds everything of edgekit's."""
        ...

    @property
    def python(self) -> str:
        """Program that starts the device's own Python, which `--runtime system` uses."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...

    def push(self, local: Path, remote: PurePosixPath) -> None:
        """Put a file on the device whole or not at all, and make the folders it needs.

        Raises StorageError if the device is full, CommandFailed if it cannot be written.
        """
        ...

    def pull(self, remote: PurePosixPath, local: Path, limit: int = PULL_BYTES) -> None:
        """Fetch a file of at most `limit` bytes whole or not at all, whatever the device says of its size.

        Raises CommandFailed if there is none or it is larger, StorageError if the disk is full.
        """
        ...

    def free_bytes(self, folder: PurePosixPath) -> int | None:
        """Free bytes on the disk where `folder` is, or would be; None if the device does not say."""
        ...

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        """Run a command to its end; one that fails by itself is an answer, too.

        Raises CommandFailed if there is no such command, or if it has not ended after `timeout` seconds.
        """
        ...
