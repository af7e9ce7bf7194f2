"""A report for a terminal or a log: plain text, the verdict on the first line."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.report.record import ReportRecord
from edgekit.report.sections.outline import Outline, outline
from edgekit.report.sections.section import Row, Section


def render(reports: Sequence[ReportRecord]) -> str:
    """Render the reports, one after the other, each with its verdict first."""
    return "\n".join(_report(outline(report)) for report in reports)


def _report(view: Outline) -> str:
    head = [f"{view.verdict.upper()}  {view.subject}", view.sentence, *view.invalid, *view.warnings]
    sections = [line for section in view.sections for line in section_lines(section)]
    return "\n".join([*head, *sections]) + "\n"


def section_lines(section: Section) -> list[str]:
    table = _table((section.header, *section.rows)) if section.rows else ["  none"]
    return [
        "",
        section.title,
        *(f"  {sentence}" for sentence in section.first),
        *table,
        *(f"  * {note}" for note in section.notes),
    ]


def _table(rows: Sequence[Row]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
