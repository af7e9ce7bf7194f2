"""Runs the stages of a line: looks in the cache, times each, and tells whoever watches."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.cache import Cache
from edgekit.ir.stage_record import StageRecord

Watch = Callable[[str, "StageRecord | str | None"], None]
"""Called with a stage's name when it starts, with what it says meanwhile, and with its record when it ends."""


def unwatched(name: str, stage: StageRecord | str | None) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class StageRunner:
    """One walk along the line: where results are kept, who watches, and which stages ran."""

    cache: Cache
    watch: Watch = unwatched
    records: list[StageRecord] = field(default_factory=list)
    _inside: threading.local = field(default_factory=threading.local)
    """Seconds of the stages that ran inside the one that runs, in this thread: each is counted once."""

    @contextlib.contextmanager
    def stage(self, name: str, cached: bool = False) -> Iterator[None]:
        """A stage that runs now; it is recorded if it ends well."""
        self.watch(name, None)
        around, self._inside.seconds = getattr(self._inside, "seconds", 0.0), 0.0
        started = time.perf_counter()
        yield
        taken = time.perf_counter() - started
        own, self._inside.seconds = taken - self._inside.seconds, around + taken
        self._record(StageRecord(name, own, cached))

    def entry(self, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """The cache entry of `key`, made by `make` as stage `name` if it is not there."""
        found = self.find(name, key)
        if found:
            return found
        with self.stage(name):
            return self.cache.fetch(key, make)[0]

    def find(self, name: str, key: str) -> Path | None:
        """The cache entry of `key`, recorded as a stage that was reused; None if it is not there."""
        started = time.perf_counter()
        found = self.cache.find(key)
        if found:
            self._record(StageRecord(name, time.perf_counter() - started, cached=True))
        return found

    def teller(self, name: str) -> Callable[[str], None]:
        """What a long stage calls with a few words on how far it is."""
        return lambda words: self.watch(name, words)

    def reused(self, name: str) -> None:
        """Record a stage whose result was there."""
        self._record(StageRecord(name, 0.0, cached=True))

    def _record(self, stage: StageRecord) -> None:
        if not any(other.name == stage.name for other in self.records):
            self.records.append(stage)
        self.watch(stage.name, stage)
