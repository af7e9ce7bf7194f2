"""Report as an article of a page: verdict, next steps, glossary, notices, contents, sections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from edgekit.report.charts.chart_svg import chart_svg
from edgekit.report.charts.elements import text
from edgekit.report.charts.rows import badge
from edgekit.report.page.gallery import gallery
from edgekit.report.page.glossary import glossary
from edgekit.report.record import ReportRecord
from edgekit.report.sections.charts import BarChart, LatencyChart, ReliabilityChart
from edgekit.report.sections.next_steps import NextStep
from edgekit.report.sections.outline import Outline
from edgekit.report.sections.section import Row, Section
from edgekit.report.supplement import Supplement

_OUTCOMES = ("passed", "failed", "undecided", "not measurable")
_FOLDED = ("Reference against candidate", "How it was timed", "Artifact", "Stages", "Provenance", "Data")
"""Sections that are there for those who look things up: they are closed at first, and open on paper."""
_NARROW = (BarChart, LatencyChart, ReliabilityChart)
"""Charts that are drawn side by side where there is room."""


@dataclass(frozen=True)
class Article:
    """Article number `number` of a page, from 1."""

    number: int
    report: ReportRecord
    view: Outline
    supplement: Supplement
    level: int
    """Level of its title: 1 where it is the page's, 2 under a title of several."""

    @property
    def anchor(self) -> str:
        return f"report-{self.number}"

    def html(self) -> str:
        parts = [(self._anchor(section.title), section.title, self._section(section)) for section in self._sections]
        flips = gallery(self.report, self.supplement, self._heading)
        if flips:
            place = next((i + 1 for i, part in enumerate(parts) if part[1] == "Sample by sample"), len(parts))
            parts.insert(place, (self._anchor("flips"), "Samples that are answered otherwise", flips))
        links = "".join(f'<li><a href="#{anchor}">{text(title)}</a></li>' for anchor, title, _ in parts)
        sections = self._arranged(parts)
        return (
            f'<article id="{self.anchor}">\n{self._verdict()}{self._next()}{glossary(self.report)}{self._notices()}'
            f'<nav class="contents" aria-label="Contents, report {self.number}"><ul>{links}</ul></nav>\n'
            f"{sections}</article>\n"
        )

    def _arranged(self, parts: list[tuple[str, str, str]]) -> str:
        """Sections below each other; charts that need no width, side by side where there is room."""
        narrow = {section.title for section in self.view.sections if isinstance(section.picture, _NARROW)}
        drawn = []
        for small, group in groupby(parts, lambda part: part[1] in narrow):
            inside = "".join(f'<section class="part" id="{anchor}">\n{part}</section>\n' for anchor, _, part in group)
            drawn.append(f'<div class="two">\n{inside}</div>\n' if small else inside)
        return "".join(drawn)

    @property
    def _sections(self) -> list[Section]:
        """Sections in the order of the page: what is drawn comes before what is only looked up."""
        sections = self.view.sections
        first = [each for each in sections if each.title not in _FOLDED]
        return sorted(first, key=_place) + [each for each in sections if each.title in _FOLDED]

    @property
    def _heading(self) -> str:
        return f"h{self.level + 1}"

    def _anchor(self, title: str) -> str:
        return f"{self.anchor}-{re.sub('[^a-z0-9]+', '-', title.lower())}"

    def _verdict(self) -> str:
        view, title = self.view, f"<h{self.level}>{text(self.view.headline)}</h{self.level}>"
        return (
            f'<header class="verdict {view.verdict}">{badge(view.verdict, view.verdict.upper())}\n{title}\n'
            f'<p>{text(view.sentence_below)}</p>\n<p class="subject">{text(view.subject)}</p></header>\n'
        )

    def _next(self) -> str:
        if not self.view.next:
            return ""
        steps = "".join(map(_step, self.view.next))
        return f'<div class="next"><{self._heading}>What to do next</{self._heading}>\n<ol>\n{steps}</ol></div>\n'

    def _notices(self) -> str:
        invalid = "".join(f'<li class="invalid">{text(sentence)}</li>\n' for sentence in self.view.invalid)
        warnings = "".join(f"<li>{text(warning)}</li>\n" for warning in self.view.warnings)
        return f'<ul class="notices">\n{invalid}{warnings}</ul>\n' if invalid or warnings else ""

    def _section(self, section: Section) -> str:
        title = f"<{self._heading}>{text(section.title)}</{self._heading}>"
        first = "".join(f"<p>{text(sentence)}</p>\n" for sentence in section.first)
        notes = "".join(f"<li>{text(note)}</li>\n" for note in section.notes)
        noted = f'<ul class="notes">\n{notes}</ul>\n' if notes else ""
        table = _table(section) if section.rows else "<p>none</p>\n"
        if section.title in _FOLDED:
            return f"<details><summary>{title}</summary>\n{first}{table}{noted}</details>\n"
        if section.picture is None:
            return f"{title}\n{first}{table}{noted}"
        drawn = f"<figure>{chart_svg(section.picture)}</figure>\n"
        folded = f'<details class="more"><summary>As a table</summary>\n{table}</details>\n' if section.rows else ""
        return f"{title}\n{first}{drawn}{noted}{folded}"


_ORDER = ("Gates", "Sample by sample", "Which class is taken for which", "Latency side by side", "Edge against cloud")


def _place(section: Section) -> int:
    """Place of a section on the page: gates, answers, times, other charts, tables."""
    if section.title in _ORDER:
        return _ORDER.index(section.title)
    return len(_ORDER) + (0 if section.picture else 1)


def _step(step: NextStep) -> str:
    # A line is broken between words: `--` alone at its end would be typed alone.
    words = " ".join(f"<span>{text(word)}</span>" for word in (step.command or "").split(" "))
    command = f'<pre tabindex="0"><code>{words}</code></pre>' if step.command else ""
    return f"<li><p>{text(step.words)}</p>{command}</li>\n"


def _table(section: Section) -> str:
    head = "".join(f'<th scope="col">{text(cell)}</th>' if cell else "<td></td>" for cell in section.header)
    rows = "".join(f"<tr>{_cells(row)}</tr>\n" for row in section.rows)
    kind = ' class="facts"' if len(section.header) == 2 else ' class="long"'
    label = text(section.title)
    return (
        f'<div class="wide" role="group" tabindex="0" aria-label="Table: {label}"><table{kind}>\n<tr>{head}</tr>\n'
        f"{rows}</table></div>\n"
    )


def _cells(row: Row) -> str:
    first, *rest = row
    return f'<th scope="row">{_cell(first)}</th>{"".join(f"<td>{_cell(cell)}</td>" for cell in rest)}'


def _cell(words: str) -> str:
    return badge(words) if words in _OUTCOMES else text(words)
