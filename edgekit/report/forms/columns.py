"""Lines and columns of plain text within a width: words stay whole, and what continues is indented."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from edgekit.report.sections.section import Row

_LEAST = 8
"""Narrowest column that words are folded into; below, a row is told one cell a line."""


def cells(text: str) -> int:
    """Columns of a terminal that a text takes: two for wide letters and emoji, none for marks above others."""
    if text.isascii():
        return len(text)
    return sum(map(_cell, text))


def _cell(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def folded(text: str, width: int | None, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of `text` within `width`, split at spaces alone: a word that is longer stands on a line of its own.

    first, rest: beginnings of the first line and of all others; rest is as many spaces as first is long.
    """
    hang = " " * cells(first) if rest is None else rest
    if width is None:
        return [f"{first}{text}".rstrip()]
    lines, line, used = [], first, cells(first)
    empty = True
    # A number stays with its sign: ` %` alone begins no line.
    for glued in text.replace(" %", "\0%").split(" "):
        word = glued.replace("\0", " ")
        length = cells(word)
        if not empty and used + 1 + length > width:
            lines.append(line.rstrip())
            line, used, empty = hang, cells(hang), True
        line, used = (line + word, used + length) if empty else (f"{line} {word}", used + 1 + length)
        empty = False
    return [*lines, line.rstrip()]


def table(rows: Sequence[Row], width: int | None, indent: str = "  ") -> list[str]:
    """Aligned lines of rows, the first of which is the header; of too many columns, one cell a line."""
    natural = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    if width is None:
        widths: list[int] | None = natural
    else:
        least = [
            min(max(_longest_word(column), _LEAST), most)
            for column, most in zip(zip(*rows, strict=True), natural, strict=True)
        ]
        widths = _fitted(natural, least, width - len(indent) - 2 * (len(natural) - 1))
    if widths is None:
        return _stacked(rows, width, indent)
    return [line for row in rows for line in _lines(row, widths, indent)]


def _longest_word(column: Iterable[str]) -> int:
    return max((cells(word) for cell in column for word in cell.replace(" %", "\0%").split(" ")), default=0)


def _fitted(natural: Sequence[int], least: Sequence[int], room: int) -> list[int] | None:
    """Widths of the columns within `room`, the widest narrowed first; None where whole words do not fit."""
    widths = list(natural)
    while sum(widths) > room:
        wide = [i for i, width in enumerate(widths) if width > least[i]]
        if not wide:
            return None
        widths[max(wide, key=lambda i: widths[i])] -= 1
    return widths


def _lines(row: Row, widths: Sequence[int], indent: str) -> Iterable[str]:
    """Lines of one row; a cell that is folded continues below itself."""
    columns = [folded(cell, width) for cell, width in zip(row, widths, strict=True)]
    for i in range(max(map(len, columns))):
        parts = [column[i] if i < len(column) else "" for column in columns]
        padded = [part + " " * (width - cells(part)) for part, width in zip(parts, widths, strict=True)]
        yield (indent + "  ".join(padded)).rstrip()


def _stacked(rows: Sequence[Row], width: int | None, indent: str) -> list[str]:
    """Rows as blocks: the first cell, and below it the others, each after the name of its column."""
    header, *body = rows
    lines = []
    for first, *others in body:
        lines += folded(first, width, indent, f"{indent}    ")
        for name, cell in zip(header[1:], others, strict=True):
            if cell:
                lines += folded(f"{name}: {cell}" if name else cell, width, f"{indent}    ", f"{indent}      ")
    return lines
