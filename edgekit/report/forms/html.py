"""A report as one HTML file: no script, nothing fetched, light and dark, small."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from edgekit.report.record import ReportRecord
from edgekit.report.sections import latency_svg
from edgekit.report.sections.outline import Outline, outline
from edgekit.report.sections.reliability_svg import reliability_svg
from edgekit.report.sections.section import Chart, ReliabilityChart, Row, Section

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --open: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; --open: #d29922 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
article + article { border-top: 2px solid var(--line); margin-top: 3rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.wide { overflow-x: auto }
table { border-collapse: collapse }
th, td { text-align: left; vertical-align: top; padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid var(--line) }
.passed { color: var(--good) } .failed { color: var(--bad) } .undecided { color: var(--open) }
.warning { border-left: .3rem solid var(--open); padding-left: .8rem; font-weight: 600 }
.invalid { border: .2rem solid var(--bad); padding: .6rem .8rem; font-size: 1.1rem; font-weight: 700 }
"""
_OUTCOMES = ("passed", "failed", "undecided")


def render(reports: Sequence[ReportRecord]) -> str:
    """Render one page with all the reports, each under a heading that is its verdict."""
    views = [outline(report) for report in reports]
    title = ", ".join(view.verdict for view in views)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>edgekit: {title}</title>\n<style>{_STYLE}{latency_svg.STYLE.lstrip()}</style>\n</head>\n<body>\n"
        f"{''.join(map(_report, views))}</body>\n</html>\n"
    )


def _report(view: Outline) -> str:
    invalid = "".join(f'<p class="invalid">{escape(sentence)}</p>\n' for sentence in view.invalid)
    warnings = "".join(f'<p class="warning">{escape(warning)}</p>\n' for warning in view.warnings)
    return (
        f'<article>\n<h1><span class="{view.verdict}">{view.verdict.upper()}</span> {escape(view.subject)}</h1>\n'
        f"<p>{escape(view.sentence)}</p>\n{invalid}{warnings}{''.join(map(_section, view.sections))}</article>\n"
    )


def _section(section: Section) -> str:
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in section.notes)
    table = _table(section) if section.rows else "<p>none</p>\n"
    first = "".join(f"<p>{escape(sentence)}</p>\n" for sentence in section.first)
    drawn = _drawn(section.picture) if section.picture else ""
    noted = f"<ul>\n{notes}</ul>\n" if notes else ""
    return f"<h2>{escape(section.title)}</h2>\n{first}{drawn}{table}{noted}"


def _drawn(picture: Chart) -> str:
    return reliability_svg(picture) if isinstance(picture, ReliabilityChart) else latency_svg.svg(picture)


def _table(section: Section) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in section.header)
    rows = "".join(f"<tr>{_cells(row)}</tr>\n" for row in section.rows)
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n{rows}</table></div>\n'


def _cells(row: Row) -> str:
    first, *rest = row
    return f'<th scope="row">{escape(first)}</th>{"".join(map(_cell, rest))}'


def _cell(text: str) -> str:
    return f'<td class="{text}">{text}</td>' if text in _OUTCOMES else f"<td>{escape(text)}</td>"
