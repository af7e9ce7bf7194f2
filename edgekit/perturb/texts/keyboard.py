"""Keyboard: the keys beside each letter, on the layout of ISO 9995 with QWERTY."""

from __future__ import annotations

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""Rows of letters; each begins a third to a half of a key to the right of the one above."""


def neighbours(letter: str) -> str:
    """Letters on the keys that touch that of a letter, in its case; empty for one that the layout has not."""
    lower = letter.lower()
    place = next(((row, keys.index(lower)) for row, keys in enumerate(ROWS) if len(lower) == 1 and lower in keys), None)
    if place is None:
        return ""
    row, column = place
    beside = [(row, column - 1), (row, column + 1), (row - 1, column), (row - 1, column + 1)]
    beside += [(row + 1, column - 1), (row + 1, column)]
    letters = "".join(ROWS[r][c] for r, c in beside if 0 <= r < len(ROWS) and 0 <= c < len(ROWS[r]))
    return letters if letter == lower else letters.upper()
