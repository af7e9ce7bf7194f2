"""Base of all errors, and the search for the nearest name that hints use."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import ClassVar


class EdgekitError(Exception):
    """Base of every error raised on purpose. The message says what and where; `hint` says what to type next."""

    code: ClassVar[str] = "EK000"
    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def all_errors(root: type[EdgekitError] = EdgekitError) -> Iterator[type[EdgekitError]]:
    """Yield `root` and every error class below it, a base before the classes that derive from it."""
    yield root
    for child in root.__subclasses__():
        yield from all_errors(child)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that is most similar to `name`; None if none is similar."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return close[0] if close else None


def suggest(name: str, known: Iterable[str], otherwise: str) -> str:
    """Write the hint for an unknown name: the nearest known one, or `otherwise` if none is near."""
    close = nearest(name, known)
    return f"did you mean '{close}'?" if close else otherwise
