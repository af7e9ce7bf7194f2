"""Verb `windows`: give what was counted while the device served, and note how far a host has read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..counts.window_folder import WindowFolder
from ..errors import RunnerError
from ..slots import state


def windows(root: Path, after: str | None, acknowledge: str | None) -> dict[str, Any]:
    """Answer with the windows behind `after`, `EPOCH:NUMBER`, from the first one on if it is of another epoch.

    Reading changes nothing: windows are kept until there are too many, the oldest first. One that goes before a host
    has acknowledged it counts as lost. Raises RunnerError: usage, or storage.
    """
    folder = WindowFolder(root)
    if not folder.path.is_dir():
        return {"epoch": None, "windows": [], "more": False, "lost": 0, "serves": _served(root)}
    try:
        epoch = folder.epoch
        if acknowledge is not None:
            place = _place(acknowledge)
            if place[0] == epoch:
                folder.acknowledge(place[1])
        first = 0
        if after is not None:
            place = _place(after)
            first = place[1] if place[0] == epoch else 0
        counted, more = folder.read(first)
        return {"epoch": epoch, "windows": counted, "more": more, "lost": folder.lost, "serves": _served(root)}
    except OSError as error:
        raise RunnerError("storage", f"'{folder.path}' cannot be read: {error.strerror or error}") from error


def _served(root: Path) -> dict[str, Any] | None:
    """Slot that is served: its folder, digest, name and version; None without one."""
    slot = state.current_of(root)
    if slot is None:
        return None
    entry = state.read(root)["slots"][slot]
    return {
        "path": str(root / slot),
        "digest": entry["digest"],
        "name": entry["name"],
        "version": entry["version"],
    }


def _place(text: str) -> tuple[str, int]:
    epoch, _, number = text.partition(":")
    if not number.isdigit() or len(number) > 18:
        raise RunnerError("usage", f"'{text}' is no EPOCH:NUMBER")
    return epoch, int(number)
