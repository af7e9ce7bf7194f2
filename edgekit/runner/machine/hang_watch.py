"""Time limit on calls into a library that may never return."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

from ..errors import RunnerError
from ..failure import exit_with

PERIOD_S = 0.5
"""Seconds between two looks at the time: a hang is told that much later."""
_thread = threading.local()


class HangWatch:
    """A thread that tells of a guarded block that has lasted longer than its limit.

    A call in C that hangs can be neither interrupted nor left, so that this process answers with the error, of the kind
    hung, and ends; within `overseen`, the error is raised there. To enter and leave a block costs less than a
    microsecond. The calls in a block must release Python's lock, as those of runtimes do.
    """

    def __init__(self) -> None:
        self._tell: Callable[[Exception], None] = getattr(_thread, "tell", exit_with)
        self._block: tuple[str, float, float] | None = None
        threading.Thread(target=self._watch, daemon=True).start()

    @contextlib.contextmanager
    def within(self, limit_s: float, name: str) -> Iterator[None]:
        """Guard a block, which `name` calls by what it does. Blocks do not nest."""
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
                self._tell(RunnerError("hung", f"{block[0]} took longer than {block[1]:g} s"))
                return


def overseen(call: Callable[[], Any]) -> Any:
    """Return what `call` returns, raise what it raises; RunnerError (hung) if a watch that it makes finds a hang.

    For a process that goes on after a hang: `call` runs in a thread of its own, which is left behind then, and the
    library must not be called again.
    """
    ends: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def run() -> None:
        _thread.tell = lambda error: ends.put((None, error))
        try:
            ends.put((call(), None))
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits
            ends.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    answer, failure = ends.get()
    if failure:
        raise failure
    return answer
