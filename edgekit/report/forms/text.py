"""A report for a terminal or a log: plain text, the verdict on the first line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.report.forms.columns import folded, table
from edgekit.report.record import ReportRecord
from edgekit.report.sections.next_steps import NextStep
from edgekit.report.sections.outline import Outline, outline
from edgekit.report.sections.section import Section, shown
from edgekit.report.supplement import PLAIN, Supplement
from edgekit.untrusted.direction import isolated

OUTCOMES = ("passed", "failed", "undecided", "not measurable")


@dataclass(frozen=True)
class TextLine:
    """One line, and what a terminal may do to make it stand out."""

    text: str
    mark: str = ""
    """Outcome that the line begins with, in its case; empty where it begins with none."""
    title: bool = False
    """True for the title of a section."""


def render(reports: Sequence[ReportRecord], supplements: Sequence[Supplement] = ()) -> str:
    """Render the reports whole, one after the other, each with its verdict first. No line is folded."""
    return "".join(f"{isolated(each.text)}\n" for each in lines(reports, supplements, full=True))


def lines(
    reports: Sequence[ReportRecord],
    supplements: Sequence[Supplement] = (),
    *,
    full: bool = False,
    width: int | None = None,
) -> list[TextLine]:
    """Lines of the reports, each printable.

    full: with all sections; else a screenful each: verdict, gates, what to do next. width: columns of the terminal;
    None where lines may be as long as they are.
    """
    known = supplements or (PLAIN,) * len(reports)
    views = [outline(report, supplement) for report, supplement in zip(reports, known, strict=True)]
    blocks = [list(_report(view, full, width)) for view in views]
    if not full:
        blocks = [[*block, *_rest(each)] for block, each in zip(blocks, known, strict=True)]
    return [line for i, block in enumerate(blocks) for line in (*((TextLine(""),) if i else ()), *block)]


def section_lines(section: Section, width: int | None = None) -> list[str]:
    """Lines of one section, the first of them empty."""
    return [line.text for line in _section(section, width)]


def _report(view: Outline, full: bool, width: int | None) -> Iterator[TextLine]:
    verdict = view.verdict.upper()
    first, *rest = folded(f"{verdict}  {view.subject}", width, "", "  ")
    yield TextLine(first, verdict)
    yield from map(TextLine, rest)
    for sentence in (view.headline, view.sentence_below, *view.invalid, *view.warnings):
        yield from map(TextLine, folded(sentence, width, "", "  "))
    gates, *others = view.sections
    yield from _section(gates if full else _without_notes(gates), width)
    yield from _next(view.next, width)
    for section in others if full else ():
        yield from _section(section, width)


def _rest(supplement: Supplement) -> list[TextLine]:
    """Name the commands that show the rest of the report."""
    command = Supplement().command("report", supplement.folder)
    return [TextLine(""), TextLine(f"All sections: {shown(command)} --full; as a page: --report FILE.html")]


def _without_notes(gates: Section) -> Section:
    """The gates without the sentence on each: what to do next says it of those that matter."""
    return Section(gates.title, gates.header, gates.rows)


def _next(steps: Sequence[NextStep], width: int | None) -> Iterator[TextLine]:
    if not steps:
        return
    yield TextLine("")
    yield TextLine("Next", title=True)
    for i, step in enumerate(steps):
        yield from map(TextLine, folded(step.words, width, f"  {i + 1}. "))
        if step.command:
            # In one line, however long: it is to be copied.
            yield TextLine(f"     {step.command}")


def _section(section: Section, width: int | None) -> Iterator[TextLine]:
    yield TextLine("")
    yield TextLine(section.title, title=True)
    for sentence in section.first:
        yield from map(TextLine, folded(sentence, width, "  "))
    if not section.rows:
        yield TextLine("  none")
    else:
        for line in table((section.header, *section.rows), width):
            yield TextLine(line, next((one for one in OUTCOMES if line.startswith(f"  {one} ")), ""))
    for note in section.notes:
        yield from map(TextLine, folded(note, width, "  * "))
