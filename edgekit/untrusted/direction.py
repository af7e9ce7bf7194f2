"""Runs of letters that are written from right to left, isolated so that they reorder nothing around them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_ISOLATE, _END = "\u2068", "\u2069"
_RIGHT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]")
"""Blocks whose letters are written from right to left."""


def by_direction(text: str, left: Callable[[str], str], right: Callable[[str], str]) -> str:
    """Join `text` again, its runs from right to left changed by `right`, and all others by `left`.

    A run ends with its last letter from right to left: spaces and numbers behind it belong to what follows.
    """
    if not _RIGHT.search(text):
        return left(text)
    parts, start = [], 0
    for begin, end in _runs(text):
        parts += [left(text[start:begin]), right(text[begin:end])]
        start = end
    return "".join([*parts, left(text[start:])])


def isolated(text: str) -> str:
    """Put every run from right to left between U+2068 and U+2069, which show nothing (Unicode annex 9)."""
    return by_direction(text, str, lambda run: f"{_ISOLATE}{run}{_END}")


def without_isolates(text: str) -> str:
    """Take out the marks that `isolated` put in."""
    return text.replace(_ISOLATE, "").replace(_END, "")


def _runs(text: str) -> list[tuple[int, int]]:
    """Beginnings and ends of the runs, each from a letter from right to left to the last before one from the left."""
    runs: list[tuple[int, int]] = []
    begin = end = -1
    for place, letter in enumerate(text):
        if _RIGHT.match(letter) and unicodedata.bidirectional(letter) in ("R", "AL", "NSM"):
            begin, end = (place if begin < 0 else begin), place + 1
        elif begin >= 0 and unicodedata.bidirectional(letter) == "L":
            runs.append((begin, end))
            begin = -1
    return [*runs, (begin, end)] if begin >= 0 else runs
