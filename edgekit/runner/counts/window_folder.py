"""Files of windows in ROOT/counts: a number each, so many at most, whole after a power cut."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from ..errors import RunnerError
from ..files.durable import read_json, write_json
from ..layout import COUNTS

MAX_FILES = 4096
"""Windows that a device keeps: of five writers and a quarter of an hour each, more than a week."""
MAX_BYTES = 16 << 20
PAGE = 128
"""Windows of one answer to the host."""
EPOCH, READ, LOST = "epoch", "read.json", "lost.json"
DIGITS = 12


class WindowFolder:
    """The windows of a device.

    A window is numbered as it begins. Numbers ascend within an `epoch`, a random word that no other folder has.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / COUNTS

    @property
    def epoch(self) -> str:
        """Word of this folder, which is made where it is missing. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            word = (self.path / EPOCH).read_text("ascii").strip()
            if len(word) == 16 and word.isalnum():
                return word
        self.path.mkdir(parents=True, exist_ok=True)
        partial = self.path / f"{EPOCH}.{secrets.token_hex(4)}"
        partial.write_text(secrets.token_hex(8))
        with contextlib.suppress(FileExistsError):
            os.link(partial, self.path / EPOCH)  # of two writers at once, one wins
        partial.unlink()
        return (self.path / EPOCH).read_text("ascii").strip()

    def begin(self) -> int:
        """Number of a new window. Raises OSError."""
        _ = self.epoch
        number = max([self.read_up_to, *self._numbers()]) + 1
        while True:
            try:
                os.close(os.open(self._file(number), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                return number
            except FileExistsError:
                number += 1

    def write(self, number: int, document: dict[str, Any], durable: bool) -> None:
        """Write a window, and replace what was written of it before. durable: flush it to the disk. Raises OSError."""
        if durable:
            write_json(self._file(number), document)
            return
        partial = self._file(number).with_suffix(".partial")
        partial.write_text(json.dumps(document))
        partial.replace(self._file(number))

    def read(self, after: int, count: int = PAGE) -> tuple[list[dict[str, Any]], bool]:
        """Windows numbered above `after`, as many as `count`, ascending; true if there are more.

        A file that is no window is left out and counted as lost.
        """
        numbers = [number for number in self._numbers() if number > after]
        windows = []
        for number in numbers[:count]:
            try:
                document = read_json(self._file(number), "data")
            except RunnerError:
                document = None
            if document is None:
                if self._is_over(number):
                    self._lose(number)
                continue
            windows.append({**document, "number": number, "open": document.get("open") is True and _runs(document)})
        return windows, len(numbers) > count

    @property
    def read_up_to(self) -> int:
        """Number up to which a host has read."""
        return self._noted(READ, "number")

    def acknowledge(self, number: int) -> None:
        """Note that a host has all windows up to that number: they are kept until there are too many."""
        if number > self.read_up_to:
            write_json(self.path / READ, {"number": number})

    @property
    def lost(self) -> int:
        """Windows that were damaged, or removed before a host had read them."""
        return self._noted(LOST, "windows")

    def trim(self) -> None:
        """Remove the oldest windows while there are too many. Raises OSError."""
        numbers = self._numbers()
        sizes = {}
        for number in numbers:
            with contextlib.suppress(OSError):
                sizes[number] = self._file(number).stat().st_size
        count, whole = len(sizes), sum(sizes.values())
        for number, size in sizes.items():
            if count <= MAX_FILES and whole <= MAX_BYTES:
                return
            count, whole = count - 1, whole - size
            if number > self.read_up_to:
                self._lose(number)
            else:
                self._file(number).unlink(missing_ok=True)

    def _lose(self, number: int) -> None:
        with contextlib.suppress(OSError):
            self._file(number).unlink(missing_ok=True)
            write_json(self.path / LOST, {"windows": self.lost + 1})

    def _is_over(self, number: int) -> bool:
        """Tell whether a file that is no window will never be one: it is not the empty one of a window that runs."""
        try:
            return self._file(number).stat().st_size > 0 or number < max(self._numbers()) - PAGE
        except OSError:
            return False

    def _noted(self, name: str, key: str) -> int:
        with contextlib.suppress(RunnerError):
            value = (read_json(self.path / name, "data") or {}).get(key, 0)
            return value if type(value) is int and value >= 0 else 0
        return 0

    def _numbers(self) -> list[int]:
        try:
            stems = [path.stem for path in self.path.iterdir() if path.suffix == ".json"]
        except OSError:
            return []
        return sorted(int(stem) for stem in stems if len(stem) == DIGITS and stem.isdigit())

    def _file(self, number: int) -> Path:
        return self.path / f"{number:0{DIGITS}d}.json"


def boot() -> str:
    """Word of this start of the system; empty where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _runs(document: dict[str, Any]) -> bool:
    """Tell whether the process that writes an open window is still there."""
    pid = document.get("pid")
    return type(pid) is int and document.get("boot") == boot() and Path(f"/proc/{pid}").exists()
