"""Time that passes while somebody sleeps, and only then: no test waits for it, and no load of the machine shows."""

from __future__ import annotations

from collections.abc import Callable


class Clock:
    """Stand-in for the module `time`: what is due happens on time, in order."""

    def __init__(self) -> None:
        self._now_s = 1000.0
        self._due: list[tuple[float, Callable[[], object]]] = []

    def at(self, seconds: float, happening: Callable[[], object]) -> None:
        """Have something happen so many seconds from now."""
        self._due.append((self._now_s + seconds, happening))

    def monotonic(self) -> float:
        return self._now_s

    def perf_counter(self) -> float:
        return self._now_s

    def sleep(self, seconds: float) -> None:
        self._now_s += seconds
        due = sorted((one for one in self._due if one[0] <= self._now_s), key=lambda one: one[0])
        self._due = [one for one in self._due if one not in due]
        for _, happening in due:
            happening()
