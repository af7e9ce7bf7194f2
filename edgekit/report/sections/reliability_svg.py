"""Reliability diagrams of two endpoints as one SVG inside a page, in the page's colours."""

from __future__ import annotations

from html import escape

from edgekit.report.sections.section import Reliability, ReliabilityChart

_SIZE, _TOP, _SIDE, _GAP = 230.0, 26.0, 40.0, 60.0


def reliability_svg(picture: ReliabilityChart) -> str:
    """Draw one square for each endpoint: a bar a bin, as high as the share that is right, and the diagonal of truth.

    A bar below the diagonal is over-confident; its width says nothing, its opacity how many decisions it holds.
    """
    width = 2 * _SIDE + len(picture.sides) * (_SIZE + _GAP) - _GAP
    squares = "".join(_square(_SIDE + k * (_SIZE + _GAP), side) for k, side in enumerate(picture.sides))
    height = _TOP + _SIZE + 34
    head = f'<svg role="img" viewBox="0 0 {width:.0f} {height:.0f}" aria-label="{escape(picture.words)}">'
    return f"{head}\n{squares}</svg>\n"


def _square(left: float, side: Reliability) -> str:
    base = _TOP + _SIZE
    most = max((each.count for each in side.bins), default=1)
    bars = "".join(
        f'<path d="M{left + _SIZE * each.low:.1f} {base:.0f}V{base - _SIZE * each.outcome:.1f}'
        f'H{left + _SIZE * each.high:.1f}V{base:.0f}Z" opacity="{0.35 + 0.65 * (each.count / most) ** 0.5:.2f}"/>\n'
        for each in side.bins
    )
    ticks = "".join(
        f'<text x="{left + _SIZE * share:.1f}" y="{base + 14:.0f}" text-anchor="middle">{100 * share:.0f} %</text>\n'
        for share in (0.0, 0.5, 1.0)
    )
    return (
        f'<text x="{left:.0f}" y="{_TOP - 10:.0f}">{escape(side.name)}</text>\n{bars}'
        f'<line x1="{left:.0f}" y1="{base:.0f}" x2="{left + _SIZE:.0f}" y2="{_TOP:.0f}"/>\n{ticks}'
        f'<text x="{left + _SIZE / 2:.0f}" y="{base + 30:.0f}" text-anchor="middle">'
        "how sure; bar: how often right</text>\n"
    )
