"""A report as one HTML file: no script, nothing fetched, light and dark, from a telephone's width on."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape

from edgekit.report.charts.drawing import PATTERNS
from edgekit.report.charts.elements import text
from edgekit.report.charts.rows import badge
from edgekit.report.page.article import Article
from edgekit.report.page.stylesheet import STYLESHEET
from edgekit.report.record import ReportRecord
from edgekit.report.sections.outline import outline
from edgekit.report.supplement import PLAIN, Supplement
from edgekit.untrusted.direction import isolated

_DIGEST = base64.b64encode(hashlib.sha256(STYLESHEET.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; base-uri 'none'; form-action 'none'"
"""Content security policy: the one stylesheet and pictures in the page itself; no script, and no request."""


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
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(isolated(title))} · edgekit</title>\n"
        f"<style>{STYLESHEET}</style>\n</head>\n<body>\n{PATTERNS}"
        f"<main>\n{summary}{''.join(article.html() for article in articles)}</main>\n</body>\n</html>\n"
    )


def _summary(articles: Sequence[Article]) -> str:
    """Table of all reports, each with its verdict and a link to it."""
    verdicts = [article.view.verdict for article in articles]
    counts = ", ".join(f"{verdicts.count(one)} {one}" for one in ("failed", "undecided", "passed") if one in verdicts)
    rows = "".join(
        f'<tr><th scope="row"><a href="#{each.anchor}">{text(each.report.target)}</a></th>'
        f"<td>{badge(each.view.verdict)}</td><td>{text(each.report.profile)}</td><td>{text(each.report.backend)}</td>"
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
