"""A window that is counted now: when it is written, when the next begins, and what is lost. Standard library only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .window_folder import WindowFolder, boot

WINDOW_S = 900.0
FLUSH_S = 30.0
"""Pause between two writings of a window that goes on: what a killed process loses at most."""
SCHEMA = 1


class WindowWriter:
    """Writer of one process. Windows go by the monotonic clock; the time of day is a label that nothing relies on.

    kind: `answers` or `times`. bundle: digest of the manifest; bins: digest of the file of bins, None without one.
    describe: the counts so far, with `rows`. durable: windows are flushed to the disk as they end. Whatever goes wrong
    with the disk costs the counts of that window alone.
    """

    def __init__(
        self,
        root: Path,
        kind: str,
        bundle: str,
        bins: str | None,
        describe: Callable[[], dict[str, Any]],
        durable: bool = True,
    ) -> None:
        self.folder, self._durable = WindowFolder(root), durable
        self._head = {
            "schema": SCHEMA,
            "kind": kind,
            "bundle": bundle,
            "bins": bins,
            "pid": os.getpid(),
            "boot": boot(),
        }
        self._describe = describe
        self._number: int | None = None
        self._begun, self._label, self._written = time.monotonic(), time.time(), 0
        self._next = self._begun + FLUSH_S
        self.lost_rows = 0
        """Rows whose counts could not be written."""

    @property
    def wait_s(self) -> float:
        """Seconds until there may be something to write."""
        return max(0.0, self._next - time.monotonic())

    @property
    def is_over(self) -> bool:
        """True once the window has lasted as long as a window does."""
        return time.monotonic() - self._begun >= WINDOW_S

    def flush(self) -> None:
        """Write the window as it is, if anything was counted since it was written, and go on counting."""
        self._next = time.monotonic() + FLUSH_S
        counts = self._describe()
        if counts["rows"] != self._written and self._write(counts, is_open=True):
            self._written = counts["rows"]

    def close(self) -> None:
        """Write the window, flushed to the disk, and begin the next one: the caller begins its counts anew."""
        counts = self._describe()
        if counts["rows"] and not self._write(counts, is_open=False):
            self.lost_rows += counts["rows"]
        self._number, self._written = None, 0
        self._begun, self._label = time.monotonic(), time.time()
        self._next = self._begun + FLUSH_S

    def _write(self, counts: dict[str, Any], is_open: bool) -> bool:
        label = {"begun": int(self._label), "seconds": round(time.monotonic() - self._begun, 1)}
        document = {**self._head, **label, "open": is_open, "lost_rows": self.lost_rows, **counts}
        try:
            if self._number is None:
                self._number = self.folder.begin()
            self.folder.write(self._number, document, self._durable and not is_open)
            if not is_open:
                self.folder.trim()
        except OSError:
            return False
        return True
