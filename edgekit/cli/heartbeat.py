"""Signs of life of a long stage where stderr is no terminal: services of continuous integration end silent jobs.

Imports little: it beats while a command imports what takes long.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar

SILENCE_S = 15.0
"""Seconds without a line after which one is printed: a line at least every 20 s, also on a busy machine."""
POLLS = 5
"""Looks, in that time, of a heartbeat that another interrupts: whether it is its turn again."""


class Heartbeat:
    """Thread that prints how long a stage has been running, `[TITLE] STAGE, 45 s so far`, unless a line came meanwhile.

    One inside another takes its place until it ends. tell: prints a line. silence_s: seconds without a line before one
    is printed.
    """

    _open: ClassVar[list[Heartbeat]] = []
    """Those that have begun and not ended, the innermost last."""
    _line_at: ClassVar[float] = 0.0
    """When any of them last printed a line, or a stage began."""

    def __init__(self, title: str, tell: Callable[[str], None], silence_s: float = SILENCE_S) -> None:
        self._title, self._tell, self._silence_s = title, tell, silence_s
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[str, tuple[float, str]] = {}
        self._began = Heartbeat._line_at = time.monotonic()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heartbeat:
        Heartbeat._open.append(self)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        Heartbeat._open.remove(self)

    def begin(self, stage: str) -> None:
        """Note that a stage began, and that its line was printed."""
        with self._lock:
            Heartbeat._line_at = time.monotonic()
            self._running.setdefault(stage, (self._line_at, ""))

    def update(self, stage: str, words: str) -> None:
        """Note how far a stage is, in a few words."""
        with self._lock:
            began, _ = self._running.get(stage, (time.monotonic(), ""))
            self._running[stage] = (began, words)

    def end(self, stage: str) -> None:
        """Note that a stage has ended."""
        with self._lock:
            self._running.pop(stage, None)

    def _beat(self) -> None:
        wait_s = self._silence_s
        while not self._ended.wait(wait_s):
            with self._lock:
                now = time.monotonic()
                wait_s = self._line_at + self._silence_s - now
                if Heartbeat._open[-1:] != [self]:
                    wait_s = self._silence_s / POLLS
                if wait_s > 0:
                    continue
                Heartbeat._line_at, wait_s = now, self._silence_s
                line = self._line(now)
            self._tell(line)

    def _line(self, now: float) -> str:
        """Line on the stage that began last, which is the innermost; without one, on the whole."""
        if not self._running:
            return f"[{self._title}] {now - self._began:.0f} s so far"
        stage, (began, words) = list(self._running.items())[-1]
        return f"[{self._title}] {f'{stage} {words}'.strip()}, {now - began:.0f} s so far"


def of_command(name: str) -> contextlib.AbstractContextManager[object]:
    """Heartbeat of a whole command, from before its imports, if stderr is no terminal: `[edgekit run] 15 s so far`."""
    if sys.stderr.isatty():
        return contextlib.nullcontext()
    return Heartbeat(f"edgekit {name}", _tell_early, SILENCE_S)


def _tell_early(line: str) -> None:
    """Print a line of our own words, without what cleans those of others: importing that is a part of the silence."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
