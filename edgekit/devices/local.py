"""`local://`: this machine stands in for a device."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self
from urllib.parse import unquote, urlsplit

from edgekit import user_paths
from edgekit.atomic import replacing
from edgekit.cache import storage_errors
from edgekit.devices import process
from edgekit.devices.command_log import logged_run, logged_transfer
from edgekit.devices.transport import PULL_BYTES, Completed, DeviceKind
from edgekit.errors import CommandFailed, OptionError
from edgekit.permissions import OWNERS_FILE, private_folder

FORM = "local:// or local:///absolute/folder"


@dataclass(frozen=True)
class Local:
    """`local://` keeps its slots among the user's data, or where EDGEKIT_DATA says; `local:///folder` in that folder.

    Raises OptionError if the URL names a host or a folder that is not absolute.
    """

    kind: ClassVar[DeviceKind] = "local"
    python: ClassVar[str] = sys.executable

    url: str
    root: PurePosixPath = field(init=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            folder = Path(unquote(parts.path)) if parts.path else user_paths.data() / "local"
            # The runner resolves no links: it uses the path as it is.
            root = PurePosixPath(folder.resolve())
            Path(root).exists()  # a name that no file system takes says so here, and not when something is put there
        except (ValueError, RuntimeError, OSError) as error:  # NUL in it; links in a circle; too long
            raise OptionError(f"'{self.url}' is no local device: {error}", hint=FORM) from error
        if parts.netloc or parts.query or parts.fragment:
            raise OptionError(f"'{self.url}' is no local device", hint=FORM)
        object.__setattr__(self, "root", root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def push(self, local: Path, remote: PurePosixPath) -> None:
        with logged_transfer(self.url, "push", remote, local):
            with storage_errors(Path(remote).parent):
                private_folder(Path(remote).parent)
            _copy(local, Path(remote))

    def pull(self, remote: PurePosixPath, local: Path, limit: int = PULL_BYTES) -> None:
        with contextlib.suppress(OSError, ValueError):
            size = Path(remote).stat().st_size
            if size > limit:
                raise CommandFailed(f"'{remote}' has {size:,} bytes, {limit:,} at most were to come")
        with logged_transfer(self.url, "pull", remote, local):
            _copy(Path(remote), local)

    def free_bytes(self, folder: PurePosixPath) -> int | None:
        nearest = next(path for path in (Path(folder), *Path(folder).parents) if path.is_dir())
        return shutil.disk_usage(nearest).free

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        return logged_run(self.url, argv, lambda: process.run(argv, timeout=timeout))


def _copy(source: Path, target: Path) -> None:
    """Copy a file whole or not at all, and keep it through a power cut."""
    try:
        with storage_errors(target.parent), source.open("rb") as reader, replacing(target, OWNERS_FILE) as writer:
            shutil.copyfileobj(reader, writer)
    except (OSError, ValueError) as error:  # the second: a path with NUL
        raise CommandFailed(f"'{source}' could not be copied to '{target}': {error}") from error
