"""Charts of sections: what is drawn, with the same in words; a form that cannot draw leaves them out.

Places on an axis are shares of its length, in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.parity.calibration.record import ReliabilityBin
from edgekit.parity.gates import Outcome
from edgekit.parity.latency_histogram import Histogram


@dataclass(frozen=True)
class Spread:
    """Latencies of one endpoint, to be drawn."""

    name: str
    histogram: Histogram
    median_ns: int


@dataclass(frozen=True)
class LatencyChart:
    """Latencies of two endpoints on the same edges."""

    words: str
    spreads: tuple[Spread, ...]


@dataclass(frozen=True)
class Reliability:
    """Reliability of one endpoint, to be drawn."""

    name: str
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class ReliabilityChart:
    """Reliability of two endpoints."""

    words: str
    sides: tuple[Reliability, ...]


@dataclass(frozen=True)
class GateBar:
    """One gate: its outcome, and its value against its limits; no places where nothing was measured."""

    name: str
    title: str
    outcome: Outcome
    value: str
    limit: str
    place: float | None
    """Place of the value."""
    allowed: tuple[float, float] | None
    """Ends of what is within the limits."""
    ends: tuple[str, str]
    """Values at both ends of the axis."""
    start: float = 0.0
    """Place where the bar begins: that of zero, or the left end."""
    whisker: tuple[float, float] | None = None
    """Ends of the interval of the value, where the record has one."""


@dataclass(frozen=True)
class GateChart:
    """Bars of all gates, those that did not pass first."""

    words: str
    bars: tuple[GateBar, ...]


@dataclass(frozen=True)
class Interval:
    """Estimate with its interval, to be drawn."""

    name: str
    value: str
    place: float
    low: float
    high: float


@dataclass(frozen=True)
class IntervalChart:
    """Estimates with their intervals on one axis."""

    title: str
    words: str
    ends: tuple[str, str]
    intervals: tuple[Interval, ...]


@dataclass(frozen=True)
class Bar:
    """One bar."""

    name: str
    value: str
    share: float
    """Length, as a share of the longest."""
    kind: str = "candidate"
    """Kind that decides colour and pattern: `reference`, `candidate`, `fallback` or `blamed`."""


@dataclass(frozen=True)
class BarChart:
    """Bars one below the other, in groups with a title."""

    words: str
    groups: tuple[tuple[str, tuple[Bar, ...]], ...]


@dataclass(frozen=True)
class MatrixCell:
    """Cell of a matrix: the count of the candidate, and its difference from the reference's."""

    count: int
    change: int
    level: int
    """Darkness: share of the row, from 0 for none to 9 for all."""
    words: str


@dataclass(frozen=True)
class MatrixChart:
    """Confusion matrix of the candidate, a row a label, and what changed in each cell."""

    words: str
    names: tuple[str, ...]
    rows: tuple[tuple[MatrixCell, ...], ...]


Chart = LatencyChart | ReliabilityChart | GateChart | IntervalChart | BarChart | MatrixChart
"""Picture of a section."""
