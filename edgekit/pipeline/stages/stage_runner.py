"""Run the stages of a build: look in the cache, time each, log it, and report progress.

The logger `edgekit.pipeline` has a line at INFO when a stage begins and when it ends.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.cache import Cache
from edgekit.ir.stage_record import StageRecord

LOG = logging.getLogger("edgekit.pipeline")
Watch = Callable[[str, "StageRecord | str | None"], None]
"""Progress callback: called with the name of a stage and None when it starts, a few words meanwhile, its record at the
end."""


def unwatched(name: str, stage: StageRecord | str | None) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class StageRunner:
    """One build or run: the cache of its results, the progress callback, and the records of its stages."""

    cache: Cache
    watch: Watch = unwatched
    records: list[StageRecord] = field(default_factory=list)
    _inside: threading.local = field(default_factory=threading.local)
    """Seconds of the stages inside the one that runs, per thread, so that each second is counted once."""

    @contextlib.contextmanager
    def stage(self, name: str, cached: bool = False) -> Iterator[None]:
        """Run a stage now: the body of the `with`. It is recorded if it ends well."""
        LOG.info("stage '%s' begins", name)
        self.watch(name, None)
        around, self._inside.seconds = getattr(self._inside, "seconds", 0.0), 0.0
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        own, self._inside.seconds = seconds - self._inside.seconds, around + seconds
        self._record(StageRecord(name, own, cached))

    def entry(self, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """Folder of the cache entry `key`; if it is absent, `make` fills it as stage `name`."""
        entry = self.find(name, key)
        if entry:
            return entry
        with self.stage(name):
            return self.cache.fetch(key, make)[0]

    def find(self, name: str, key: str) -> Path | None:
        """Folder of the cache entry `key`, recorded as a reused stage; None if it is absent."""
        started = time.perf_counter()
        entry = self.cache.find(key)
        if entry:
            self._record(StageRecord(name, time.perf_counter() - started, cached=True))
        return entry

    def teller(self, name: str) -> Callable[[str], None]:
        """Function that a long stage calls with a few words on its progress."""
        return lambda words: self.watch(name, words)

    def reused(self, name: str) -> None:
        """Record a stage whose result was in the cache."""
        self._record(StageRecord(name, 0.0, cached=True))

    def _record(self, stage: StageRecord) -> None:
        how = "reused from the cache" if stage.cached else "made"
        LOG.info("stage '%s' ended after %.2f s: %s", stage.name, stage.seconds, how)
        if not any(other.name == stage.name for other in self.records):
            self.records.append(stage)
        self.watch(stage.name, stage)
