"""A report for a pull request: GitHub's Markdown, the verdict on the first line."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.report.record import ReportRecord
from edgekit.report.sections.next_steps import NextStep
from edgekit.report.sections.outline import Outline, outline
from edgekit.report.sections.section import Row, Section
from edgekit.untrusted.direction import isolated
from edgekit.untrusted.markdown import code, escape


def render(reports: Sequence[ReportRecord]) -> str:
    """Render the reports, one after the other, each under a heading that is its verdict."""
    return isolated("\n".join(_report(outline(report)) for report in reports))


def _report(view: Outline) -> str:
    head = [
        f"## {view.verdict.upper()}: {escape(view.subject)}",
        *("", f"**{escape(view.headline)}**"),
        *("", escape(view.sentence_below)),
    ]
    warnings = [line for warning in (*view.invalid, *view.warnings) for line in ("", f"> **{escape(warning)}**")]
    sections = [line for section in view.sections for line in section_lines(section)]
    steps = [line for step in view.next for line in _step(step)]
    following = ["", "### What to do next", "", *steps] if steps else []
    return "\n".join([*head, *warnings, *following, *sections]) + "\n"


def _step(step: NextStep) -> list[str]:
    """A step as an item of a list; its command as code."""
    if step.command is None:
        return [f"- {escape(step.words)}"]
    return [f"- {escape(step.words)}", f"  {code(step.command)}"]


def section_lines(section: Section) -> list[str]:
    table = [_cells(section.header), _row(("---",) * len(section.header)), *map(_cells, section.rows)]
    notes = [f"- {escape(note)}" for note in section.notes]
    first = [line for sentence in section.first for line in (escape(sentence), "")]
    return [
        "",
        f"### {escape(section.title)}",
        "",
        *first,
        *(table if section.rows else ["none"]),
        *(["", *notes] if notes else []),
    ]


def _cells(row: Row) -> str:
    return _row(tuple(map(escape, row)))


def _row(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"
