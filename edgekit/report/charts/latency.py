"""Latencies of two endpoints as one SVG inside a page, in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from html import escape

from edgekit.parity.gate_texts import milliseconds
from edgekit.report.charts.elements import image
from edgekit.report.sections.charts import LatencyChart, Spread

_WIDTH, _HEIGHT, _PANEL, _TOP, _SIDE = 300.0, 62.0, 92.0, 20.0, 22.0
_NEAR = 52.0
"""Least distance of two labels of the axis."""


def latency(picture: LatencyChart) -> str:
    """Draw one panel for each endpoint on one logarithmic scale; each as high as its fullest bin."""
    height = round(_PANEL * len(picture.spreads) + _TOP)
    panels = "".join(_panel(index, spread) for index, spread in enumerate(picture.spreads))
    scale = _scale(picture.spreads[0], _PANEL * len(picture.spreads))
    return image("Latencies", picture.words, panels + scale, size=(round(_WIDTH + 2 * _SIDE), height))


def _panel(index: int, spread: Spread) -> str:
    top, base = index * _PANEL + _TOP, index * _PANEL + _TOP + _HEIGHT
    median = _across(spread, spread.median_ns)
    title = f"{spread.name}: half at most {milliseconds(spread.median_ns / 1e6)}"
    return (
        f'<text x="{_SIDE:.0f}" y="{top - 7:.0f}">{escape(title)}</text>\n'
        f'<path class="{"reference" if index == 0 else "candidate"}" d="{_outline(spread, base)}"/>\n'
        f'<line class="median" x1="{median:.1f}" y1="{top:.0f}" x2="{median:.1f}" y2="{base:.0f}"/>\n'
    )


def _outline(spread: Spread, base: float) -> str:
    """SVG path along the tops of the bins, from the base line and back to it."""
    edges, counts = spread.histogram.edges_ns, spread.histogram.counts
    fullest = max(counts)
    steps = [f"M{_across(spread, edges[0]):.1f} {base:.0f}"]
    for right, count in zip(edges[1:], counts, strict=True):
        steps.append(f"V{base - _HEIGHT * count / fullest:.1f}H{_across(spread, right):.1f}")
    return f"{''.join(steps)}V{base:.0f}Z"


def _across(spread: Spread, value_ns: float) -> float:
    first, last = spread.histogram.edges_ns[0], spread.histogram.edges_ns[-1]
    share = math.log(max(value_ns, first) / first) / math.log(last / first)
    return _SIDE + _WIDTH * min(share, 1.0)


def _scale(spread: Spread, base: float) -> str:
    ticks = ((_across(spread, value_ns), milliseconds(value_ns / 1e6)) for value_ns in _ticks(spread))
    return "".join(
        f'<text class="tick" x="{x:.1f}" y="{base + 12:.0f}" text-anchor="middle">{escape(label)}</text>\n'
        for x, label in _apart(ticks)
    )


def _apart(ticks: Iterable[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """Leave out ticks whose labels would touch the one before."""
    last = -_NEAR
    for x, label in ticks:
        if x - last >= _NEAR:
            yield x, label
            last = x


def _ticks(spread: Spread) -> Iterable[int]:
    """1, 2 and 5 of every power of ten between the ends; the ends themselves where fewer than two are."""
    first, last = spread.histogram.edges_ns[0], spread.histogram.edges_ns[-1]
    powers = range(int(math.log10(first)), int(math.log10(last)) + 1)
    steps = (1, 2, 5) if last < 1000 * first else (1,)
    ticks = [step * 10**power for power in powers for step in steps if first <= step * 10**power <= last]
    return ticks if len(ticks) > 1 else (first, last)
