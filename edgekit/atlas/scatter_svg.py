"""Scatter plot of a metric against a cost as one SVG, with a mark for each backend and a line through the front."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from edgekit.atlas.pareto import PlotPoint
from edgekit.report.charts.elements import image, plain

WIDTH, HEIGHT = 640, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 76.0, 24.0, 16.0, 56.0
_TICKS = 5
_SIZE = 6.0
MOST_NUMBERS = 6
"""Numbers at one place of a plot."""
Show = Callable[[float], str]
STYLE = """
.plot { max-width: 40rem; width: 100%; height: auto; font: 12px system-ui, sans-serif }
.plot.legend { width: 1.1rem; height: 1.1rem }
.plot text { fill: currentColor } .plot .axis { stroke: currentColor; fill: none }
.plot .grid { stroke: currentColor; stroke-opacity: .15 }
.plot .front { stroke: currentColor; fill: none; stroke-dasharray: 5 4 }
.plot .mark { stroke: currentColor; stroke-width: 1.6; fill: var(--page) } .plot .mark.passed { fill: currentColor }
"""


@dataclass(frozen=True)
class Scatter:
    """Plot: its points, its front, and words for people who do not see it."""

    title: str
    description: str
    x_label: str
    y_label: str
    points: Sequence[PlotPoint]
    front: Sequence[PlotPoint]
    kinds: Sequence[str]
    """Backends of the whole page, in their order: each has the same mark in every plot."""
    show_x: Show
    show_y: Show


def scatter_svg(plot: Scatter) -> str:
    """Draw the plot. The mark tells the backend, a filled one a run that passed; no colour says anything."""
    xs, ys = _Axis.of([point.x for point in plot.points]), _Axis.of([point.y for point in plot.points])
    across = [(_LEFT + share * (WIDTH - _LEFT - _RIGHT), value) for share, value in xs.ticks]
    up = [(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), value) for share, value in ys.ticks]
    at = {point: (_x(xs.share(point.x)), _y(ys.share(point.y))) for point in plot.points}
    line = " ".join(f"{at[point][0]:.1f},{at[point][1]:.1f}" for point in plot.front)
    body = [
        *(_grid(x, _TOP, x, HEIGHT - _BOTTOM) for x, _ in across),
        *(_grid(_LEFT, y, WIDTH - _RIGHT, y) for y, _ in up),
        *(_text(x, HEIGHT - _BOTTOM + 16, plot.show_x(value), "middle") for x, value in across),
        *(_text(_LEFT - 6, y + 4, plot.show_y(value), "end") for y, value in up),
        f'<path class="axis" d="M{_LEFT:g} {_TOP:g}V{HEIGHT - _BOTTOM:g}H{WIDTH - _RIGHT:g}"/>',
        _text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 14, plot.x_label, "middle"),
        _text(_LEFT, _TOP - 4, plot.y_label, "start"),
        f'<polyline class="front" points="{line}"/>' if len(plot.front) > 1 else "",
        *(_mark(*at[point], plot.kinds.index(point.kind), point.verdict) for point in plot.points),
        *_numbers(at),
    ]
    shapes = "\n".join(["", *filter(None, body), ""])
    return image(plot.title, plot.description, shapes, size=(WIDTH, HEIGHT), kind="plot") + "\n"


def mark_svg(kind: int) -> str:
    """Mark of a backend alone, for the legend."""
    box = 'class="plot legend" aria-hidden="true" viewBox="0 0 18 18" width="18" height="18"'
    return f"<svg {box}>{_mark(9, 9, kind, '')}</svg>"


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> _Axis:
        """Range of the values with room around them: a twelfth on either side, something where all are equal."""
        low, high = min(values), max(values)
        room = (high - low) / 12 or abs(high) / 10 or 1.0
        return cls(low - room, high + room)

    @property
    def ticks(self) -> list[tuple[float, float]]:
        """Round values within the range, each after its share of the axis."""
        step = (self.high - self.low) / _TICKS
        unit = 10.0 ** math.floor(math.log10(step))
        step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= step)
        first = math.ceil(self.low / step)
        values = [step * k for k in range(first, first + 2 * _TICKS) if step * k <= self.high]
        return [(self.share(value), value) for value in values]

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)


def _x(share: float) -> float:
    return _LEFT + share * (WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="grid" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{plain(words)}</text>'


def _numbers(at: Mapping[PlotPoint, tuple[float, float]]) -> Iterator[str]:
    """Numbers beside the marks; runs that lie at one place share a text."""
    places: dict[tuple[int, int], list[PlotPoint]] = {}
    for point, (x, y) in at.items():
        places.setdefault((round(x), round(y)), []).append(point)
    for points in places.values():
        x, y = at[points[0]]
        side, anchor = (-10.0, "end") if x > WIDTH - _RIGHT - 40 else (10.0, "start")
        more = f" and {len(points) - MOST_NUMBERS} more" if len(points) > MOST_NUMBERS else ""
        numbers = ", ".join(str(point.number) for point in points[:MOST_NUMBERS])
        yield _text(x + side, y - 6, numbers + more, anchor)


def _mark(x: float, y: float, kind: int, verdict: str) -> str:
    """Circle, square, triangle, diamond or cross."""
    s = _SIZE
    style = f'class="mark {escape(verdict)}"'
    shapes = (
        f'<circle {style} cx="{x:.1f}" cy="{y:.1f}" r="{s:g}"/>',
        f'<rect {style} x="{x - s:.1f}" y="{y - s:.1f}" width="{2 * s:g}" height="{2 * s:g}"/>',
        f'<path {style} d="M{x:.1f} {y - s:.1f}l{s:g} {2 * s:g}h{-2 * s:g}z"/>',
        f'<path {style} d="M{x:.1f} {y - s:.1f}l{s:g} {s:g}l{-s:g} {s:g}l{-s:g} {-s:g}z"/>',
        f'<path {style} d="M{x - s:.1f} {y - s:.1f}l{2 * s:g} {2 * s:g}m0 {-2 * s:g}l{-2 * s:g} {2 * s:g}"/>',
    )
    return shapes[kind % len(shapes)]
