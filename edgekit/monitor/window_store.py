"""Windows of all devices, kept on this machine in one SQLite file below the user's data (EDGEKIT_DATA)."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edgekit import user_paths
from edgekit.cache import storage_errors
from edgekit.devices.windows import AnswerCounts, PulledWindows, TimeCounts, Window
from edgekit.errors import StorageError
from edgekit.permissions import private_folder
from edgekit.runner.counts.bins import digest_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS windows (
    device TEXT, epoch TEXT, number INTEGER, bundle TEXT, kind TEXT, begun INTEGER, open INTEGER, document TEXT,
    PRIMARY KEY (device, epoch, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epochs (device TEXT PRIMARY KEY, epoch TEXT);
CREATE TABLE IF NOT EXISTS bins (digest TEXT PRIMARY KEY, document BLOB);
"""
WAIT_S = 30.0
MOST = 20_000
"""Windows of a device that are kept: about two months of five writers."""
_WINDOW: TypeAdapter[Window] = TypeAdapter(Window)


class WindowStore:
    """Windows by device, epoch and number; bins by their digest. Several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of_user(cls) -> WindowStore:
        """Store of the user; its folder is made. Raises StorageError."""
        folder = user_paths.data() / "monitor"
        with storage_errors(folder):
            private_folder(folder)
        return cls(folder / "windows.sqlite3")

    def place(self, device: str) -> tuple[str, int] | None:
        """Epoch and number up to which all windows of the newest epoch are kept and over; None without any."""
        with self._open() as file:
            newest = file.execute("SELECT epoch FROM epochs WHERE device = ?", (device,)).fetchone()
            if newest is None:
                return None
            of = (device, newest[0])
            still = file.execute("SELECT MIN(number) FROM windows WHERE device = ? AND epoch = ? AND open = 1", of)
            first_open = still.fetchone()[0]
            last = file.execute("SELECT MAX(number) FROM windows WHERE device = ? AND epoch = ?", of).fetchone()[0]
        return newest[0], (first_open - 1 if first_open is not None else last or 0)

    def keep(self, device: str, pulled: PulledWindows) -> None:
        """Keep windows; one that is there already is replaced by what it is now."""
        if pulled.epoch is None:
            return
        rows = [
            (device, pulled.epoch, each.number, each.bundle, each.kind, each.begun, int(each.open), _text(each))
            for each in pulled.windows
        ]
        with self._open() as file:
            file.execute("INSERT OR REPLACE INTO epochs VALUES (?, ?)", (device, pulled.epoch))
            file.executemany("INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            file.execute(
                "DELETE FROM windows WHERE device = ?1 AND (epoch, number) IN (SELECT epoch, number FROM windows "
                "WHERE device = ?1 ORDER BY begun DESC, number DESC LIMIT -1 OFFSET ?2)",
                (device, MOST),
            )

    def windows(self, device: str) -> tuple[list[AnswerCounts], list[TimeCounts]]:
        """Windows of a device, of all bundles. Raises StorageError if the file was damaged."""
        with self._open() as file:
            documents = file.execute(
                "SELECT document FROM windows WHERE device = ? ORDER BY begun", (device,)
            ).fetchall()
        try:
            windows = [_WINDOW.validate_json(document) for (document,) in documents]
        except ValidationError as error:
            raise self._damaged() from error
        answers = [each for each in windows if isinstance(each, AnswerCounts)]
        return answers, [each for each in windows if isinstance(each, TimeCounts)]

    def keep_bins(self, raw: bytes) -> str:
        """Keep a file of bins; its digest."""
        digest = digest_of(raw)
        with self._open() as file:
            file.execute("INSERT OR IGNORE INTO bins VALUES (?, ?)", (digest, raw))
        return digest

    def bins(self, digest: str) -> bytes | None:
        """File of bins with that digest; None if it is not kept."""
        with self._open() as file:
            kept = file.execute("SELECT document FROM bins WHERE digest = ?", (digest,)).fetchone()
        raw = kept[0] if kept else None
        return raw if raw is not None and digest_of(raw) == digest else None

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=WAIT_S)) as file, file:
                file.executescript(SCHEMA)
                yield file
        except sqlite3.DatabaseError as error:
            raise self._damaged() from error

    def _damaged(self) -> StorageError:
        hint = f"mv {self._path} {self._path}.damaged, and ask the devices again"
        return StorageError(f"'{self._path}' cannot be read or written as edgekit's windows", hint=hint)


def _text(window: Window) -> str:
    return json.dumps(window.model_dump(mode="json", by_alias=True), separators=(",", ":"))
