"""How bytes and commands reach a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal, Protocol, Self


@dataclass(frozen=True)
class Completed:
    """A command that ended by itself. Of long outputs the end is kept."""

    argv: tuple[str, ...]
    stdout: str
    stderr: str
    returncode: int
    """As `subprocess` has it: negative for the signal that ended it."""


PULL_BYTES = 4 << 30
"""The largest file that is fetched from a device if nobody says less: as large as a model may be."""
DeviceKind = Literal["local", "emulated", "device"]
"""`local` is the machine that builds, standing in for a target; an `emulated` one has no time of its own."""


class Transport(Protocol):
    """A way to one device, made from its URL. Open it with `with`.

    Transports register by URL scheme in `edgekit.transports`. Every method raises Unreachable if there is no answer.
    """

    kind: ClassVar[DeviceKind]
    """What is behind it."""

    def __init__(self, url: str) -> None: ...

    @property
    def url(self) -> str:
        """As it was given."""
        ...

    @property
    def root(self) -> PurePosixPath:
        """The folder on the device that holds everything of edgekit's."""
        ...

    @property
    def python(self) -> str:
        """The device's own Python: what `--runtime system` uses."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...

    def push(self, local: Path, remote: PurePosixPath) -> None:
        """Put a file on the device whole or not at all, making the folders it needs.

        Raises StorageError if the device is full, CommandFailed if it cannot be written.
        """
        ...

    def pull(self, remote: PurePosixPath, local: Path, limit: int = PULL_BYTES) -> None:
        """Fetch a file of at most `limit` bytes whole or not at all, whatever the device says of its size.

        Raises CommandFailed if there is none or it is larger, StorageError if the disk is full.
        """
        ...

    def free_bytes(self, folder: PurePosixPath) -> int | None:
        """The room on the disk where `folder` is, or would be; None if the device does not say."""
        ...

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        """Run a command to its end; one that fails by itself is an answer too.

        Raises CommandFailed if there is no such command, or if it has not ended after `timeout` seconds.
        """
        ...
