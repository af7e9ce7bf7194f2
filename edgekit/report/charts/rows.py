"""Charts of one row a value: HTML for the words, so that they stay legible on a telephone, and SVG for the bars."""

from __future__ import annotations

from edgekit.report.charts.elements import image, share, text
from edgekit.report.sections.charts import Bar, BarChart, GateBar, GateChart, Interval, IntervalChart

ICONS = {
    "passed": '<path d="M3 8.5l3.2 3.2L13 5"/>',
    "failed": '<path d="M4 4l8 8M12 4l-8 8"/>',
    "undecided": '<path d="M5.4 6a2.6 2.6 0 1 1 3.6 2.4c-.7.3-1 .8-1 1.6M8 12.9v.1"/>',
    "not measurable": '<path d="M4 8h8"/>',
}
"""Signs of the outcomes, in a square of 16: colour alone tells nothing to many."""


def icon(outcome: str) -> str:
    """Sign of an outcome beside its word."""
    return f'<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">{ICONS.get(outcome, "")}</svg>'


def badge(outcome: str, word: str = "") -> str:
    """An outcome with its sign and colour. word: its word, where it is written otherwise."""
    kind = outcome.replace(" ", "-")
    return f'<span class="badge {kind}">{icon(outcome)} {text(word or outcome)}</span>'


def gates(chart: GateChart) -> str:
    """Draw a row a gate, below a sentence on how to read it."""
    return f'<figcaption>{text(chart.words)}</figcaption>\n<ul class="gates">\n{"".join(map(_gate, chart.bars))}</ul>\n'


def _gate(bar: GateBar) -> str:
    axis = (
        f'<div class="axis">{_track(bar)}<p class="ends"><span>{text(bar.ends[0])}</span>'
        f"<span>{text(bar.ends[1])}</span></p></div>"
        if bar.place is not None
        else '<p class="axis none">nothing was measured</p>'
    )
    measured = f"<b>{text(bar.value)}</b> " if bar.place is not None else ""
    return (
        f'<li class="{bar.outcome.replace(" ", "-")}">{badge(bar.outcome)}'
        f'<p class="gate">{text(bar.title)} <code>{text(bar.name)}</code></p>{axis}'
        f'<p class="limit">{measured}<span>{text(bar.limit)}</span></p></li>\n'
    )


def _track(bar: GateBar) -> str:
    """Axis with what is allowed, the value as a bar with a mark at its end, and its interval."""
    assert bar.place is not None
    assert bar.allowed is not None
    (low, high), kind = bar.allowed, bar.outcome.replace(" ", "-")
    limits = "".join(
        f'<line class="limit" x1="{share(edge)}" x2="{share(edge)}" y1="0" y2="22"/>'
        for edge, inner in ((low, low > 0), (high, high < 1))
        if inner
    )
    whisker = ""
    if bar.whisker:
        ends = tuple(map(share, bar.whisker))
        whisker = f'<line class="whisker" x1="{ends[0]}" x2="{ends[1]}" y1="11" y2="11"/>'
    shapes = (
        '<rect class="track" x="0" y="5" width="100%" height="12"/>'
        f'<rect class="allowed" x="{share(low)}" y="5" width="{share(max(high - low, 0))}" height="12"/>'
        f'<rect class="value {kind}" x="{share(min(bar.start, bar.place))}" y="8" '
        f'width="{share(abs(bar.place - bar.start))}" height="6"/>'
        f'{whisker}<circle class="mark {kind}" cx="{share(bar.place)}" cy="11" r="5"/>{limits}'
    )
    words = f"{bar.title}: {bar.value}; {bar.limit}: {bar.outcome}"
    return image(words, f"The axis goes from {bar.ends[0]} to {bar.ends[1]}.", shapes, kind="row")


def intervals(chart: IntervalChart) -> str:
    """Draw a row an estimate, with its interval as a whisker."""
    rows = "".join(_interval(each, chart) for each in chart.intervals)
    ends = f'<p class="ends"><span>{text(chart.ends[0])}</span><span>{text(chart.ends[1])}</span></p>'
    told = f"<figcaption>{text(chart.title)}</figcaption>"
    return f'{told}<div class="rows">{rows}<div class="line"><span></span>{ends}<span></span></div></div>\n'


def _interval(each: Interval, chart: IntervalChart) -> str:
    kind = "reference" if each.name == "reference" else "candidate"
    caps = "".join(
        f'<line class="whisker" x1="{share(x)}" x2="{share(x)}" y1="6" y2="16"/>' for x in (each.low, each.high)
    )
    shapes = (
        '<rect class="track" x="0" y="10" width="100%" height="2"/>'
        f'<line class="whisker" x1="{share(each.low)}" x2="{share(each.high)}" y1="11" y2="11"/>{caps}'
        f'<circle class="{kind}" cx="{share(each.place)}" cy="11" r="6"/>'
    )
    drawn = image(f"{each.name}: {each.value}", chart.words, shapes, kind="row")
    return f'<div class="line"><span>{text(each.name)}</span>{drawn}<b>{text(each.value)}</b></div>\n'


def bars(chart: BarChart) -> str:
    """Draw groups of bars, one below the other."""
    return "".join(
        f'<p class="group">{text(title)}</p><div class="rows">{"".join(_bar(bar, chart) for bar in group)}</div>\n'
        for title, group in chart.groups
    )


def _bar(bar: Bar, chart: BarChart) -> str:
    width = share(max(bar.share, 0.004))
    shapes = (
        '<rect class="track" x="0" y="3" width="100%" height="14"/>'
        f'<rect class="{bar.kind}" x="0" y="3" width="{width}" height="14"/>'
    )
    drawn = image(f"{bar.name}: {bar.value}", chart.words, shapes, kind="row")
    return f'<div class="line"><span>{text(bar.name)}</span>{drawn}<b>{text(bar.value)}</b></div>\n'
