"""Watch of the served files: bits of a disk change, and a model with other weights answers without a word."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RunnerError
from ..slots import lifecycle
from ..slots.admission import admit
from ..slots.trust import Trust

if TYPE_CHECKING:
    from .served_slot import ServedBundle

NICENESS = 15
LIMIT_S = 600.0
"""Time limit of reading one bundle's files."""
WHOLE, DAMAGED = b"w", b"d"


class IntegrityWatch:
    """Verifies the served bundle every `every_s` seconds, in a process of little priority.

    A bundle that is damaged, or not trusted any more, is taken out: the device rolls back to the bundle before it,
    if that may be served, and writes why into its history.
    """

    def __init__(self, root: Path, every_s: float) -> None:
        self._root, self._every_s = root, every_s
        self._next = time.monotonic() + every_s
        self._child: tuple[int, int, ServedBundle, float] | None = None

    def look(self, now: float, live: ServedBundle | None) -> str | None:
        """Begin or end a verification; what is wrong with the bundle that is served, if that is known now."""
        if self._child is None:
            if live is not None and now >= self._next:
                self._begin(live, now)
            return None
        pid, reader, bundle, began = self._child
        if now - began > LIMIT_S:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if not ended:
            return None
        verdict = os.read(reader, 1 << 12)
        os.close(reader)
        self._child, self._next = None, now + self._every_s
        if verdict[:1] != DAMAGED or bundle != live:
            return None
        why = verdict[1:].decode("utf-8", "replace")
        self._roll_back(bundle, why)
        return why

    def close(self) -> None:
        """End a verification that is under way."""
        if self._child is not None:
            with contextlib.suppress(OSError):
                os.kill(self._child[0], signal.SIGKILL)
            os.waitpid(self._child[0], 0)
            os.close(self._child[1])
            self._child = None

    def _begin(self, bundle: ServedBundle, now: float) -> None:
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.nice(NICENESS)
                os.write(writer, _verdict(bundle)[: 1 << 12])
            finally:
                os._exit(0)
        os.close(writer)
        self._child = (pid, reader, bundle, now)

    def _roll_back(self, bundle: ServedBundle, why: str) -> None:
        try:
            lifecycle.rollback(self._root, bundle.digest, {"damaged": why})
        except RunnerError as error:
            print(f"edgekit serve: no rollback: {error}", file=sys.stderr, flush=True)


def _verdict(bundle: ServedBundle) -> bytes:
    try:
        admit(bundle.slot, bundle.digest, Trust.of(bundle.slot.parent))
    except RunnerError as error:
        return DAMAGED + str(error).encode()
    return WHOLE
