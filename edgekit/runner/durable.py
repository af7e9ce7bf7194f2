"""What is written here is there after a power cut, whole or not at all. Standard library only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .errors import RunnerError


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file of ours; None if there is no file. Raises RunnerError (state) if it is damaged."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise RunnerError("state", f"'{path}' is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise RunnerError("state", f"'{path}' is not what edgekit writes there")
    return found


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Replace the file in one step."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(document, file, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_one(path.parent)


def sync(folder: Path) -> None:
    """Every file and folder below, and the folder itself, to the disk."""
    for parent, _, names in os.walk(folder):
        for path in (*(Path(parent) / name for name in names), Path(parent)):
            sync_one(path)


def sync_one(path: Path) -> None:
    """One file's bytes, or one folder's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
