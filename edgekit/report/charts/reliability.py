"""Reliability diagrams of two endpoints as one SVG inside a page, in the page's colours."""

from __future__ import annotations

from html import escape

from edgekit.report.charts.elements import image
from edgekit.report.sections.charts import Reliability, ReliabilityChart

_SIZE, _TOP, _SIDE, _GAP = 142.0, 22.0, 14.0, 30.0


def reliability(picture: ReliabilityChart) -> str:
    """Draw one square for each endpoint: a bar a bin, as high as the share that is right, and the diagonal of truth.

    A bar below the diagonal is over-confident; its width says nothing, its opacity how many decisions it holds.
    """
    width = 2 * _SIDE + len(picture.sides) * (_SIZE + _GAP) - _GAP
    squares = "".join(_square(_SIDE + k * (_SIZE + _GAP), side, k == 0) for k, side in enumerate(picture.sides))
    return image("Reliability", picture.words, squares, size=(round(width), round(_TOP + _SIZE + 32)))


def _square(left: float, side: Reliability, reference: bool) -> str:
    base = _TOP + _SIZE
    most = max((each.count for each in side.bins), default=1)
    bars = "".join(
        f'<path class="{"reference" if reference else "candidate"}" d="M{left + _SIZE * each.low:.1f} {base:.0f}'
        f"V{base - _SIZE * each.outcome:.1f}"
        f'H{left + _SIZE * each.high:.1f}V{base:.0f}Z" opacity="{0.35 + 0.65 * (each.count / most) ** 0.5:.2f}"/>\n'
        for each in side.bins
    )
    ticks = "".join(
        f'<text class="tick" x="{left + _SIZE * share:.1f}" y="{base + 13:.0f}" text-anchor="{anchor}">'
        f"{100 * share:.0f} %</text>\n"
        for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    )
    name, _, error = side.name.partition(": ")
    return (
        f'<text x="{left:.0f}" y="{_TOP - 8:.0f}">{escape(name)} <tspan class="tick">{escape(error)}</tspan></text>\n'
        f'<path class="frame" d="M{left:.0f} {_TOP:.0f}H{left + _SIZE:.0f}V{base:.0f}H{left:.0f}Z"/>\n{bars}'
        f'<line class="median" x1="{left:.0f}" y1="{base:.0f}" x2="{left + _SIZE:.0f}" y2="{_TOP:.0f}"/>\n{ticks}'
        f'<text class="tick" x="{left + _SIZE / 2:.0f}" y="{base + 27:.0f}" text-anchor="middle">how sure</text>\n'
    )
