"""Progress of a function as a caller from Python sees it, and the cache that it works with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgekit.cache import Cache
from edgekit.ir.stage_record import StageRecord
from edgekit.pipeline.stages.stage_runner import Watch, unwatched

Progress = Callable[[str], None]
"""Called with a few words, from any thread: `quantize` as a stage begins, `quantize: 14.1 s` as it ends."""


def opened_cache(folder: Path | None) -> Cache:
    """Cache in a folder; the user's where none is named."""
    return Cache(folder) if folder else Cache.default().made()


def watched(progress: Progress | None) -> Watch:
    """Watch of stages that calls `progress`."""
    if progress is None:
        return unwatched

    def watch(name: str, stage: StageRecord | str | None) -> None:
        if isinstance(stage, StageRecord):
            progress(f"{name}: {'from the cache' if stage.cached else f'{stage.seconds:.1f} s'}")
        else:
            progress(f"{name}: {stage}" if stage else name)

    return watch
