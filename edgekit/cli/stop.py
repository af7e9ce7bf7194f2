"""Handling of SIGINT and SIGTERM, so that none is lost."""

from __future__ import annotations

import signal
import time

APART_S = 0.5
"""Seconds between two signals. Closer ones are one signal that came from the terminal and the supervisor, both."""


class Stop:
    """Handler of both signals: raises KeyboardInterrupt, and remembers that it did."""

    came = False
    _at = float("-inf")

    def __call__(self, number: int, frame: object) -> None:
        before, self._at, self.came = self._at, time.monotonic(), True
        if self._at - before > APART_S:
            raise KeyboardInterrupt

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self)


def check() -> None:
    """Raise KeyboardInterrupt again if one was swallowed: Python drops those that hit a callback of its own."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Stop) and handler.came:
        raise KeyboardInterrupt
