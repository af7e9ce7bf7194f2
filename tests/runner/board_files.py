"""A board's /sys, /proc and programs, in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest


def plant(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write `files` below `root`, by their paths there; what was in them is gone."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def install(folder: Path, programs: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of a board on this machine's path, by their names: shell scripts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join((str(folder), os.environ["PATH"])))


def saying(text: str) -> str:
    """A script that prints `said`, whatever it is asked."""
    return f"cat <<'END'\n{text}\nEND"
