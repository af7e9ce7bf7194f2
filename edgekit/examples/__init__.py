"""Projects that come with the package: `--example NAME` is `--project` with one of these folders."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import UnknownName, suggest
from edgekit.specs.project import FILE

ROOT = Path(__file__).parent


def names() -> list[str]:
    """The examples there are, sorted."""
    return sorted(path.parent.name for path in ROOT.glob(f"*/{FILE}"))


def folder(name: str) -> Path:
    """The project folder of an example. Raises UnknownName, with the nearest."""
    if name not in names():
        raise UnknownName(f"no example is named '{name}'", hint=suggest(name, names(), f"known: {', '.join(names())}"))
    return ROOT / name
