"""SIGINT and SIGTERM, so that none is lost."""

from __future__ import annotations

import signal
from typing import NoReturn


class Stop:
    """Handles both: raises KeyboardInterrupt, and remembers that it did."""

    came = False

    def __call__(self, number: int, frame: object) -> NoReturn:
        self.came = True
        raise KeyboardInterrupt

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self)


def check() -> None:
    """Raise KeyboardInterrupt again if one was swallowed: Python drops those that hit a callback of its own."""
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Stop) and handler.came:
        raise KeyboardInterrupt
