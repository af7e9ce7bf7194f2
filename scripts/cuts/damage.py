"""Damage to one file of a device, drawn from a seed: which file, in which way, and before which step of a flash."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.runner.layout import MANIFEST, SIGNATURE

RECORDS = ("state.json", "trust.json", "lease.json", "current")
CONTENTS = (MANIFEST, SIGNATURE, "model", "golden")
COMING = ("program", "archive", "staging")
FILES = (*RECORDS, *(f"{slot}/{name}" for slot in ("served", "other") for name in CONTENTS), *COMING)
WORDS: tuple[Any, ...] = (None, 3, -1, 1e300, True, "", "a", [], {}, "0" * 64, [[[]]])
"""Values that replace one in a file of JSON."""


@dataclass(frozen=True)
class Damage:
    """One file of the device damaged in one way, `at` (from 0 to 1) of the way through the trips of a flash."""

    number: int
    file: str
    way: str
    at: float
    seed: int

    def hit(self, root: Path) -> bool:
        """Do it to the device whose folder is here. Whether there was such a file."""
        path = _path(root, self.file)
        if path is None or not _exists(path):
            return False
        WAYS[self.way](path, random.Random(self.seed))
        return True


def plan(count: int, seed: int) -> tuple[Damage, ...]:
    """So many: every file has its turn before one has its next. The same seed, the same plan."""
    drawn = random.Random(seed)
    files: list[str] = []
    while len(files) < count:
        files += drawn.sample(FILES, len(FILES))
    return tuple(
        Damage(number, file, drawn.choice(list(WAYS)), drawn.random(), drawn.randrange(2**31))
        for number, file in enumerate(files[:count], 1)
    )


def _path(root: Path, file: str) -> Path | None:
    """The file as it is called at this moment."""
    if file in RECORDS:
        return root / file
    if file in COMING:
        where = {"program": ("runner", "*.pyz"), "archive": ("staging", "*.tar"), "staging": ("staging", "*/*")}[file]
        matches = sorted(path for path in (root / where[0]).glob(where[1]) if ".source" not in path.name)
        return matches[0] if matches else None
    which, _, name = file.partition("/")
    link = root / "current"
    current = link.resolve().name if link.is_symlink() else "a"
    slot = root / (current if which == "served" else {"a": "b", "b": "a"}.get(current, "b"))
    pattern = {"model": "model.*", "golden": "golden/*/*"}.get(name, name)
    return next(iter(sorted(slot.glob(pattern))), None)


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _lose(path: Path, choose: random.Random) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _write(path: Path, content: bytes) -> None:
    _lose(path, random.Random())
    path.write_bytes(content)


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else str(path.readlink()).encode() if path.is_symlink() else b""


def _empty(path: Path, choose: random.Random) -> None:
    _write(path, b"")


def _cut(path: Path, choose: random.Random) -> None:
    raw = _read(path)
    _write(path, raw[: choose.randrange(len(raw) or 1)])


def _flip(path: Path, choose: random.Random) -> None:
    raw = bytearray(_read(path) or b"x")
    raw[choose.randrange(len(raw))] ^= 1 << choose.randrange(8)
    _write(path, bytes(raw))


def _garble(path: Path, choose: random.Random) -> None:
    _write(path, choose.randbytes(choose.randrange(1, 4096)))


def _retype(path: Path, choose: random.Random) -> None:
    """One value of a file of JSON becomes one of another type; another file is garbled."""
    try:
        document = json.loads(_read(path))
    except ValueError:
        return _garble(path, choose)
    if not isinstance(document, dict) or not document:
        return _garble(path, choose)
    where, key = choose.choice(list(_places(document)))
    where[key] = choose.choice(WORDS)
    _write(path, json.dumps(document).encode())


def _places(value: Any) -> list[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in ((value, key), *_places(inner))]


def _elsewhere(path: Path, choose: random.Random) -> None:
    """A link in its place, to nothing or to the wrong folder; none that leaves, so that nothing outside is written."""
    _lose(path, choose)
    path.symlink_to(choose.choice(["nowhere", ".", "c", "a", "b"]))


def _folder(path: Path, choose: random.Random) -> None:
    _lose(path, choose)
    path.mkdir()


WAYS: dict[str, Callable[[Path, random.Random], None]] = {
    "lost": _lose,
    "empty": _empty,
    "cut": _cut,
    "flipped": _flip,
    "garbled": _garble,
    "retyped": _retype,
    "a link": _elsewhere,
    "a folder": _folder,
}
