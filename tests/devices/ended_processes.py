"""Processes of which a test says that nothing of them goes on."""

from __future__ import annotations

import os
import select
from pathlib import Path


def gone(note: Path) -> bool:
    """Tell whether every process whose number is in the note has ended, or does so within a minute: kills take time."""
    return all(_ended(int(pid)) for pid in note.read_text().split())


def _ended(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 60)[0])
    finally:
        os.close(descriptor)
