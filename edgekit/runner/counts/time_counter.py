"""Counting in the server: how long requests took and waited, and how they ended. Standard library only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .exponential_histogram import ExponentialHistogram
from .window_writer import WindowWriter

SERVERS_FAULT = 500
"""HTTP status from which on it is not the client that erred."""


class TimeCounter:
    """Counter of the requests for one bundle."""

    def __init__(self, root: Path, bundle: str) -> None:
        # Not flushed to the disk: that would keep all requests waiting. The system writes it within half a minute.
        self._writer = WindowWriter(root, "times", bundle, None, self._counts, durable=False)
        self._begin()

    @property
    def lost_rows(self) -> int:
        """Requests whose counts could not be written."""
        return self._writer.lost_rows

    def answered(self, whole_ns: int, queue_ns: int) -> None:
        """Count a request that was answered: nanoseconds from its arrival to its answer, and of these in the queue."""
        self._latency.add(whole_ns)
        self._queue.add(queue_ns)

    def refused(self, status: int) -> None:
        """Count a request that was refused with an HTTP status."""
        if status >= SERVERS_FAULT:
            self._failed += 1
        else:
            self._refused += 1

    def tick(self) -> None:
        """Write what is due. To be called a few times a second."""
        if self._writer.is_over:
            self.close()
        elif not self._writer.wait_s:
            self._writer.flush()

    def close(self) -> None:
        """Write what was counted, and begin anew."""
        self._writer.close()
        self._begin()

    def _begin(self) -> None:
        self._latency, self._queue = ExponentialHistogram(), ExponentialHistogram()
        self._failed = self._refused = 0

    def _counts(self) -> dict[str, Any]:
        return {
            "rows": self._latency.count + self._failed + self._refused,
            "failed": self._failed,
            "refused": self._refused,
            "latency_ns": self._latency.document(),
            "queue_ns": self._queue.document(),
        }
