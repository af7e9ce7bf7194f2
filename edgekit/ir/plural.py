"""Numbers of things in words: one sample is, two samples are."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Format a number of things: `1 sample`, `2,000 samples`, `3 classes`, or with its own plural."""
    regular = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural or regular}"


def verb(number: int, one: str, several: str) -> str:
    """Choose the form of a verb for a number of things: `verb(1, "was", "were")`."""
    return one if number == 1 else several
