"""A part of a report as a person reads it, before it is text, Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.parity.calibration.record import ReliabilityBin
from edgekit.parity.latency_histogram import Histogram
from edgekit.untrusted.sanitize import MAX_WORDS, line

Row = tuple[str, ...]


@dataclass(frozen=True)
class Spread:
    """Latencies of one endpoint, to be drawn."""

    name: str
    histogram: Histogram
    median_ns: int


@dataclass(frozen=True)
class LatencyChart:
    """Latencies of two endpoints on the same edges, and the same in words for screen readers."""

    words: str
    spreads: tuple[Spread, ...]


@dataclass(frozen=True)
class Reliability:
    """Reliability of one endpoint, to be drawn."""

    name: str
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class ReliabilityChart:
    """Reliability of two endpoints, and the same in words for screen readers."""

    words: str
    sides: tuple[Reliability, ...]


Chart = LatencyChart | ReliabilityChart
"""Picture of a section."""


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
    """Section whose every string is one printable line."""
    cells = tuple(tuple(map(shown, row)) for row in rows)
    return Section(title, header, cells, tuple(map(shown, notes)), tuple(map(shown, first)), picture)


def shown(text: str) -> str:
    """One printable line, cut to a limit: devices, servers and file names may hold anything."""
    return line(text, MAX_WORDS)
