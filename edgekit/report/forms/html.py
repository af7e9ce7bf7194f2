"""A report as one HTML file: no script, nothing fetched, light and dark, from a telephone's width on."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.report.charts.chart_svg import PATTERNS
from edgekit.report.charts.elements import text
from edgekit.report.charts.rows import badge
from edgekit.report.page.article import Article
from edgekit.report.page.document import document
from edgekit.report.page.stylesheet import STYLESHEET
from edgekit.report.record import ReportRecord
from edgekit.report.sections.outline import outline
from edgekit.report.sections.section import shown
from edgekit.report.supplement import PLAIN, Supplement


def render(reports: Sequence[ReportRecord], supplements: Sequence[Supplement] = ()) -> str:
    """Render one page with all the reports; several have a table of them and their verdicts above.

    supplements: one a report, or none at all.
    """
    known = supplements or (PLAIN,) * len(reports)
    level = 1 if len(reports) == 1 else 2
    articles = [
        Article(i + 1, report, outline(report, supplement), supplement, level)
        for i, (report, supplement) in enumerate(zip(reports, known, strict=True))
    ]
    title = ", ".join(f"{each.view.verdict}: {each.view.subject}" for each in articles[:3])
    summary = "" if level == 1 else _summary(articles)
    main = f"<main>\n{summary}{''.join(article.html() for article in articles)}</main>\n"
    return document(f"{title} · edgekit", STYLESHEET, PATTERNS + main)


def _summary(articles: Sequence[Article]) -> str:
    """Table of all reports, each with its verdict and a link to it."""
    verdicts = [article.view.verdict for article in articles]
    counts = ", ".join(f"{verdicts.count(one)} {one}" for one in ("failed", "undecided", "passed") if one in verdicts)
    rows = "".join(
        f'<tr><th scope="row"><a href="#{each.anchor}">{text(shown(each.report.target))}</a></th>'
        f"<td>{badge(each.view.verdict)}</td><td>{text(shown(each.report.profile))}</td><td>{text(shown(each.report.backend))}</td>"
        f"<td>{text(each.view.headline)}</td></tr>\n"
        for each in articles
    )
    names = ("target", "verdict", "profile", "backend", "meaning")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f"<header><h1>{len(articles)} reports: {counts}</h1>\n"
        '<div class="wide" role="group" tabindex="0" aria-label="All reports"><table>\n'
        f"<tr>{head}</tr>\n{rows}</table></div></header>\n"
    )
