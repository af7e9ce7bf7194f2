"""Reader of /sys and /proc: a value that cannot be read, or makes no sense, is None."""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path("/")
LIMIT_BYTES = 1 << 16


def text(path: Path) -> str | None:
    """Content of the file without the space around it; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(LIMIT_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return None


def integer(content: str | None) -> int | None:
    """Integer that `content` is, and nothing else; None otherwise."""
    return int(content) if content and re.fullmatch(r"[+-]?\d{1,19}", content, re.ASCII) else None


def number(path: Path) -> int | None:
    """Integer that the file holds, and nothing else; None otherwise."""
    return integer(text(path))


def field_bytes(name: str, lines: str) -> int | None:
    """Size in bytes in the line `NAME: N kB` of a file such as /proc/meminfo; None if there is no such line."""
    match = re.search(rf"^{name}:\s+(\d{{1,15}}) kB$", lines, re.MULTILINE | re.ASCII)
    return int(match.group(1)) * 1024 if match else None


class OpenFile:
    """A file that stays open, to be read again in microseconds. Raises OSError if it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            os.close(self._fd)

    def number(self) -> int | None:
        try:
            return integer(os.pread(self._fd, 32, 0).decode("ascii", "replace").strip())
        except OSError:
            return None


def opened(path: Path) -> OpenFile | None:
    """Open the file for repeated reading; None if it cannot be opened."""
    try:
        return OpenFile(path)
    except OSError:
        return None
