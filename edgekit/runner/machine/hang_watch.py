"""Time limit on calls into a library that may never return."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

PERIOD_S = 0.5
"""Seconds between two looks at the time: a hang is told that much later."""


class HangWatch:
    """A thread that calls `hung` once a guarded block has lasted longer than its limit.

    A call in C that hangs can be neither interrupted nor left, so that `hung` has to end the process. To enter and
    leave a block costs less than a microsecond.
    """

    def __init__(self, hung: Callable[[str, float], None]) -> None:
        """`hung` is called with the name of the block, and its limit in seconds."""
        self._hung = hung
        self._block: tuple[str, float, float] | None = None
        threading.Thread(target=self._watch, daemon=True).start()

    @contextlib.contextmanager
    def within(self, limit_s: float, name: str) -> Iterator[None]:
        """Guard a block. Blocks do not nest."""
        self._block = name, limit_s, time.monotonic() + limit_s
        try:
            yield
        finally:
            self._block = None

    def _watch(self) -> None:
        while True:
            time.sleep(PERIOD_S)
            block = self._block
            if block and time.monotonic() > block[2]:
                self._hung(block[0], block[1])
                return
