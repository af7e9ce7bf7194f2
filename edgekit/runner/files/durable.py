"""Durable files: after a power cut a file is there whole, or as it was before. Standard library only."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

from ..errors import ErrorKind, RunnerError

MAX_BYTES = 16 << 20
"""Largest file of edgekit's that is read, in bytes; state.json with 200 entries of history has less than 1 MB."""
SENSELESS = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)
"""Exceptions of code that reads fields of a JSON document which has another form."""


def read_json(path: Path, kind: ErrorKind) -> dict[str, Any] | None:
    """Read the JSON object in a file of edgekit's; None if there is no file.

    Raises RunnerError of that `kind` if it cannot be read or is no finite, printable JSON object.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        document = json.loads(raw, parse_constant=_refuse_number, parse_float=_finite)
        json.dumps(document, ensure_ascii=False).encode()  # no half of a surrogate pair, which nobody could print
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise RunnerError(kind, f"'{path}' cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise RunnerError(kind, f"'{path}' is not what edgekit writes there")
    return document


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)


def _refuse_number(text: str) -> float:
    raise ValueError(f"'{text}' is no number that JSON has")


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write the document, flushed to the disk, and replace the file, or whatever stands in its place, in one step."""
    partial = path.with_name(f"{path.name}.partial")
    for place in (partial, path):
        if place.is_dir():
            remove(place)
    with partial.open("w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_one(path.parent)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is below; nothing where nothing is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return
    path.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Flush every file and folder below `folder`, and the folder itself, to the disk."""
    for parent, _, names in os.walk(folder):
        for path in (*(Path(parent) / name for name in names), Path(parent)):
            sync_one(path)


def sync_one(path: Path) -> None:
    """Flush one file's bytes, or one folder's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
