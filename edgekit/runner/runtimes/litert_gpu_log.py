"""Words of LiteRT's GPU accelerator on stderr, where alone it tells which operators it leaves to the CPU, and why."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

SHARE = re.compile(r"(?:First )?(\d+) operations will run on the GPU, and the remaining (\d+)")
NONE_ON_GPU = re.compile(r"No operations will run on the GPU, and all (\d+)")
REFUSED = "operations are not supported by GPU delegate:"
ADAPTER = re.compile(r"Selected adapter: (.+?), arch=")
NO_ADAPTER = "No adapters found"
MEMORY = re.compile(r"out[ _]?of[ _](?:device[ _]|host[ _])?memory|OutOfMemory|larger than the max", re.IGNORECASE)
LOG_BYTES = 1 << 20


class GpuLog(NamedTuple):
    """Words of the accelerator on a model that it compiled."""

    adapter: str | None
    """Name of the device that it chose."""
    taken: int | None
    """Operators on the GPU, and those left; None if it says nothing, as when it takes them all."""
    left: int
    reasons: tuple[tuple[str, str], ...]
    """Kinds of operators that it refuses, each with its reason."""
    no_adapter: bool
    no_memory: bool


def parse(text: str) -> GpuLog:
    """Parse what LiteRT 2.3 wrote."""
    adapter, share, none = ADAPTER.search(text), SHARE.search(text), NONE_ON_GPU.search(text)
    on_gpu, left = (int(share[1]), int(share[2])) if share else (0, int(none[1])) if none else (None, 0)
    return GpuLog(
        adapter=adapter[1] if adapter else None,
        taken=on_gpu,
        left=left,
        reasons=tuple(_reasons(text)),
        no_adapter=NO_ADAPTER in text,
        no_memory=MEMORY.search(text) is not None,
    )


def _reasons(text: str) -> Iterator[tuple[str, str]]:
    lines = iter(text.partition(REFUSED)[2].splitlines()[1:])
    for line in lines:
        kind, sign, reason = line.partition(":")
        if not sign or not re.fullmatch(r"[A-Z0-9_]+|\S{1,80}", kind):
            return
        yield kind, reason.strip()


class StderrCopy:
    """Copy of what the process and its libraries write to stderr in a block; afterwards it is written there."""

    text: str = ""

    @contextlib.contextmanager
    def copied(self) -> Iterator[None]:
        original = os.dup(2)
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(original, 2)
                os.close(original)
                file.seek(0)
                written = file.read(LOG_BYTES)
                self.text = written.decode("utf-8", "replace")
                os.write(2, written)
