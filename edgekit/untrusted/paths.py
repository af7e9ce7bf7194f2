"""Check untrusted path names, so that they stay inside the folder that they are meant for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

MAX_PATH = 240


def is_inside(path: str) -> bool:
    """True if a path stays in its folder on any system: relative, printable ASCII, no `..`, backslash or colon."""
    plain = re.fullmatch(r"[ -~]+", path) and not re.search(r"[\\:]", path)
    return bool(plain) and len(path) <= MAX_PATH and not {"", ".", ".."} & set(path.split("/"))


def contained(folder: Path, name: str) -> Path:
    """Join `name` to `folder`. A name from a device, a server, a bundle or a report becomes a path this way only.

    Raises ValueError if it could lead out of the folder: absolute, with `..`, or with letters that some file system
    reads its own way. Links in the folder are not looked at: make it one that only we write to.
    """
    if not is_inside(name):
        raise ValueError(f"{name[:MAX_PATH]!r} is no plain relative path")
    return folder / name


def check_tree(paths: Iterable[str]) -> None:
    """Raise ValueError if a path occurs twice, or is the folder of another, on a file system that ignores case."""
    seen = sorted(path.lower().split("/") for path in paths)
    for parts, following in pairwise(seen):
        if following[: len(parts)] == parts:
            raise ValueError(f"'{'/'.join(parts)}' is there twice, or is both a file and a folder")
