"""Atlas as one HTML file: no script, nothing fetched, light and dark; every name in it is only a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from edgekit.atlas import scatter_svg
from edgekit.atlas.catalogue import RunCatalogue, RunEntry
from edgekit.atlas.page_style import STYLE
from edgekit.atlas.plots import metric_groups, plots_of
from edgekit.atlas.run_figures import HEADER, figures
from edgekit.ir.plural import counted
from edgekit.report.charts.elements import plain, text
from edgekit.report.page.document import document
from edgekit.untrusted.sanitize import MAX_WORDS, line

MARK = "<!-- edgekit atlas -->"
"""Second line of every page: only a page with it is replaced."""


def atlas_page(catalogue: RunCatalogue) -> str:
    """Render the page. The same catalogue gives the same bytes."""
    kinds = sorted({entry.report.backend for entry in catalogue.runs})
    numbered = [(number, entry) for number, entry in enumerate(catalogue.runs, 1)]
    groups = "".join(_group(title, rows, kinds) for title, rows in metric_groups(numbered))
    body = (
        f"<main>\n<h1>Atlas of runs</h1>\n<p>{escape(summary(catalogue))}</p>\n{_matrix(numbered)}{groups}"
        f"{_runs(numbered)}{_failures(catalogue)}{_unreadable(catalogue)}</main>\n"
    )
    return document("edgekit atlas", STYLE + scatter_svg.STYLE, body, MARK)


def summary(catalogue: RunCatalogue) -> str:
    """Sentence on what was found."""
    runs, verdicts = catalogue.runs, [entry.report.verdict for entry in catalogue.runs]
    counts = ", ".join(
        f"{verdicts.count(each)} {each}" for each in ("passed", "undecided", "failed") if each in verdicts
    )
    parts = [f"{counted(len(runs), 'report')}{f' ({counts})' if counts else ''}"]
    parts += [f"{counted(len(catalogue.failures), 'build or run', 'builds or runs')} that ended in an error"]
    parts += [f"{counted(len(catalogue.unreadable), 'file')} that could not be read"]
    return f"{'; '.join(parts)}; in {counted(catalogue.folders, 'folder')}."


def _matrix(rows: Sequence[tuple[int, RunEntry]]) -> str:
    """Table of targets by backend and profile, each cell with the verdicts of its runs."""
    if not rows:
        return ""
    columns = sorted({(entry.report.backend, entry.report.profile) for _, entry in rows})
    targets = sorted({(entry.project, entry.report.target) for _, entry in rows})
    head = "".join(f'<th scope="col">{_safe(f"{backend} {profile}")}</th>' for backend, profile in columns)
    body = ""
    for project, target in targets:
        cells = ""
        for column in columns:
            here = [
                (number, entry)
                for number, entry in rows
                if (entry.project, entry.report.target) == (project, target)
                and (entry.report.backend, entry.report.profile) == column
            ]
            cells += f"<td>{', '.join(_verdict_link(number, entry) for number, entry in here) or '-'}</td>"
        body += f'<tr><th scope="row">{_safe(f"{project} on {target}")}</th>{cells}</tr>\n'
    caption = "<caption>Verdict of every run, with the number of its row</caption>"
    table = f'<table>\n{caption}\n<tr><th scope="col">project, target</th>{head}</tr>\n{body}</table>'
    return _section("Targets × backends × profiles", _wide("targets, backends and profiles", table))


def _verdict_link(number: int, entry: RunEntry) -> str:
    verdict = entry.report.verdict
    return f'<a href="#run-{number}"><span class="{verdict}">{verdict}</span> ({number})</a>'


def _group(title: str, rows: Sequence[tuple[int, RunEntry]], kinds: Sequence[str]) -> str:
    plots = plots_of(title, rows, kinds)
    figures = "".join(
        f"<figure>\n{scatter_svg.scatter_svg(plot)}<figcaption>{text(plot.description)}</figcaption>\n</figure>\n"
        for plot in plots
    )
    own = [kind for kind in kinds if any(entry.report.backend == kind for _, entry in rows)]
    legend = ", ".join(f"{scatter_svg.mark_svg(kinds.index(kind))} {_safe(kind)}" for kind in own)
    words = f"<p>Marks: {legend}; filled: passed. Numbers are those of the table below.</p>\n"
    return _section(title, f'{words}<div class="figures">\n{figures}</div>\n') if figures else ""


def _runs(rows: Sequence[tuple[int, RunEntry]]) -> str:
    if not rows:
        return _section("Runs", "<p>No report was found: edgekit build and edgekit run leave one in --out.</p>\n")
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("run", *HEADER, "does it again"))
    body = "".join(
        f'<tr id="run-{number}"><th scope="row">{number}</th>{"".join(map(_cell, figures(entry)))}'
        f'<td class="command"><code>{_safe(entry.command)}</code></td></tr>\n'
        for number, entry in rows
    )
    note = (
        "<p>Type a command in the folder of its project. <code>--reference URL</code> stands for the server that was "
        "asked.</p>\n"
    )
    table = f"<table>\n<caption>All runs</caption>\n<tr>{head}</tr>\n{body}</table>"
    return _section("Runs", note + _wide("all runs", table))


def _failures(catalogue: RunCatalogue) -> str:
    if not catalogue.failures:
        return ""
    rows = [
        (
            *(each.failure.project, each.failure.target, each.failure.backend, each.failure.profile),
            *(each.failure.code, each.failure.message, each.failure.hint or "-", each.place, each.command),
        )
        for each in catalogue.failures
    ]
    header = ("project", "target", "backend", "profile", "error", "what happened", "hint", "folder", "does it again")
    return _section("Builds and runs that ended in an error", _table("Errors", header, rows))


def _unreadable(catalogue: RunCatalogue) -> str:
    if not catalogue.unreadable:
        return ""
    rows = [(each.place, each.reason) for each in catalogue.unreadable]
    return _section("Files that could not be read", _table("Unreadable files", ("file", "why"), rows))


def _table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    table = f"<table>\n<caption>{text(caption)}</caption>\n<tr>{head}</tr>\n{body}</table>"
    return _wide(caption.lower(), table)


def _wide(label: str, table: str) -> str:
    """Table that scrolls by itself, also by keyboard."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{plain(label)}">\n{table}\n</div>\n'


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{_safe(title)}</h2>\n{body}</section>\n"


def _cell(words: str) -> str:
    verdict = f' class="{words}"' if words in ("passed", "failed", "undecided") else ""
    return f"<td{verdict}>{_safe(words)}</td>"


def _safe(words: str) -> str:
    return text(line(words, MAX_WORDS))
