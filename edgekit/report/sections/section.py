"""A part of a report as a person reads it, before it is text, Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.report.sections.charts import Chart
from edgekit.untrusted.sanitize import MAX_WORDS, line

Row = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """Sentences under a title, a table, and sentences under the table. Every row is as long as the header."""

    title: str
    header: Row
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    """Sentences above the table: the result."""
    picture: Chart | None = None
    """Chart, drawn by the forms that can."""


def section(
    title: str,
    header: Row,
    rows: Iterable[Row],
    notes: Iterable[str] = (),
    first: Iterable[str] = (),
    picture: Chart | None = None,
) -> Section:
    """Section whose every string is one printable line. A row in which no side knows anything is left out."""
    cells = tuple(tuple(map(shown, row)) for row in rows if not _says_nothing(row))
    return Section(title, header, cells, tuple(map(shown, notes)), tuple(map(shown, first)), picture)


_NOTHING = frozenset({"unknown", "not measured", "not counted", "no sensor"})


def _says_nothing(row: Row) -> bool:
    return len(row) > 1 and all(cell in _NOTHING for cell in row[1:])


def shown(text: str) -> str:
    """One printable line, cut to a limit: devices, servers and file names may hold anything."""
    return line(text, MAX_WORDS)
