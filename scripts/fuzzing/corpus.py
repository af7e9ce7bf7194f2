"""Files that reached code which no others do, kept for each reader: to change further, and to read again in a test."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import edgekit
from scripts.fuzzing.outcome import Tally

PACKAGE = str(Path(edgekit.__file__).parent)
KEPT = Path(__file__).parents[2] / "tests" / "corpus"
MAX_BYTES = 2000
"""Limit for a file that is kept; honest models are larger."""
HONEST = "honest"
"""Names of files that must be taken begin so."""
Lines = set[tuple[str, int]]


@dataclass
class Corpus:
    """A folder for each reader. With `grows`, a file that reaches lines of edgekit's for the first time is added."""

    root: Path = KEPT
    grows: bool = False
    _reached: dict[str, Lines] = field(default_factory=dict)

    def files(self, reader: str) -> Mapping[str, bytes]:
        """Contents by file name."""
        return {path.name: path.read_bytes() for path in sorted(self.folder(reader).glob("*"))}

    def folder(self, reader: str) -> Path:
        return self.root / re.sub(r"\W+", "-", reader)

    @contextlib.contextmanager
    def watching(self, reader: str, content: bytes, tally: Tally) -> Iterator[None]:
        """Keep the content if what runs meanwhile reaches something new, or breaks a promise."""
        if not self.grows:
            yield
            return
        broken, lines = len(tally.broken), Lines()
        with _lines_of(lines):
            yield
        known = self._reached.setdefault(reader, set())
        if len(tally.broken) > broken or (lines - known and len(content) <= MAX_BYTES):
            self._keep(reader, content)
        known |= lines

    def _keep(self, reader: str, content: bytes) -> None:
        folder = self.folder(reader)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(content).hexdigest()[:12]).write_bytes(content)


@contextlib.contextmanager
def _lines_of(reached: Lines) -> Iterator[None]:
    """Add to `reached` the lines of edgekit that this thread runs."""

    def on_line(frame: FrameType, event: str, argument: Any) -> Any:
        reached.add((frame.f_code.co_filename, frame.f_lineno))
        return on_line

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        return on_line if frame.f_code.co_filename.startswith(PACKAGE) else None

    sys.settrace(on_call)
    try:
        yield
    finally:
        sys.settrace(None)
