"""Glossary of a page: the words that its reader meets first, each in a sentence; only those that stand on it."""

from __future__ import annotations

from edgekit.report.charts.elements import text
from edgekit.report.record import ReportRecord


def glossary(report: ReportRecord) -> str:
    """Part of the page that says what its words mean."""
    terms = "".join(f"<div><dt>{text(term)}</dt><dd>{text(words)}</dd></div>\n" for term, words in _terms(report))
    return f'<dl class="glossary">\n{terms}</dl>\n'


def _terms(report: ReportRecord) -> list[tuple[str, str]]:
    eager = report.reference.environment.kind == "eager"
    outcomes = {gate.outcome for gate in report.gates}
    sides = (report.reference, report.candidate)
    terms = [
        ("gate", "a check with a limit that was set before anything was measured; one that fails stops the model"),
        (
            "reference",
            f"your model before compression{'' if eager else ', behind its server'}: what ours is held against",
        ),
        ("candidate", "the compressed model, which answered the same samples"),
    ]
    if "undecided" in outcomes:
        terms.append(("undecided", "measured, but not surely enough to say on which side of the limit it lies"))
    if "not measurable" in outcomes:
        terms.append(("not measurable", "nothing here can measure it, such as a board's time without the board"))
    if any(side.latency.count and not side.latency.valid for side in sides):
        terms.append(
            ("INVALID", "of a time: too few or too unsteady runs to quote it; answers are not touched by that")
        )
    if any(side.latency.count for side in sides):
        terms.append(("p50, p90", "the time that half of all answers, or nine of ten, take at most"))
    if report.flips.reference_only or report.flips.candidate_only:
        terms.append(("McNemar's p", "how likely chance alone gives flips this lopsided; small: the loss is real"))
    if report.sqnr_db is not None:
        terms.append(("SQNR", "how far outputs stand above the noise of compression: at 20 dB it is a tenth of them"))
    return terms
