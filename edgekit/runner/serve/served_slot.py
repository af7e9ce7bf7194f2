"""The bundle that a device serves, by the link `current` and the state beside it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from ..errors import RunnerError
from ..slots import state


class ServedBundle(NamedTuple):
    """Bundle in the slot that is served."""

    slot: Path
    digest: str
    """SHA-256 of its manifest, in hex."""
    name: str
    version: str
    """Name of this very bundle in the protocol: its version, if it has one, and the start of its digest."""
    python: tuple[str, ...] | None = None
    """Command line of the Python that has its runtime; None if an older edgekit did not write it."""


class ServedSlot:
    """The slot of a device that is served, looked up again when a commit or a rollback has changed it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: object = None
        self.bundle: ServedBundle | None = None
        self.why = f"nothing is committed in '{root}'"
        """Reason why there is no bundle."""

    def look(self) -> bool:
        """Look whether another bundle is served than before; True if so. Takes microseconds where nothing changed."""
        seen = self._signs()
        if seen == self._seen:
            return False
        before = self.bundle
        try:
            self.bundle = read_served(self._root)
        except RunnerError as error:
            self.bundle, self.why = None, str(error)
        # What was read may be newer than the signs, and never older: then it is read once more.
        self._seen = seen
        return before != self.bundle

    def _signs(self) -> tuple[object, ...]:
        signs: list[object] = []
        with contextlib.suppress(OSError):
            signs.append((self._root / "current").readlink())
        with contextlib.suppress(OSError):
            stat = (self._root / state.FILE).stat()
            signs += [stat.st_ino, stat.st_mtime_ns, stat.st_size]
        return tuple(signs)


def read_served(root: Path) -> ServedBundle:
    """Bundle that `current` names. Raises RunnerError: state if there is none, garbled if the state is not readable."""
    slot = state.current_of(root)
    if slot is None:
        raise RunnerError("state", f"nothing is committed in '{root}'")
    entry = state.read(root)["slots"][slot]
    if entry["digest"] is None:
        raise RunnerError("garbled", f"'{root / 'current'}' names slot '{slot}', which is empty")
    number, start = entry["version"], entry["digest"][:12]
    version = f"{number}-{start}" if number else start
    python = tuple(entry["python"] or ()) or None
    return ServedBundle(root / slot, entry["digest"], entry["name"] or "model", version, python)
