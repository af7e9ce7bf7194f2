"""Section on a model with state: its error from the first step to the last."""

from __future__ import annotations

from edgekit.parity.drift import Drift, DriftSpan
from edgekit.parity.endpoint_record import MetricRecord
from edgekit.parity.gate_texts import metric_value, noise, percent
from edgekit.report.sections.section import Section, section
from edgekit.tasks.metric import SHARE


def over_time(drift: Drift | None, score: MetricRecord | None) -> Section | None:
    """Section on the error over time; None for samples that are no sequences. score: that of the candidate."""
    if drift is None:
        return None
    scored = score if any(span.reference is not None for span in drift.spans) else None
    names = (f"{scored.name} of the reference", f"{scored.name} of the candidate") if scored else ()
    rows = [
        (span.steps, noise(span.sqnr_db), percent(span.agreement), *(_scores(span, scored) if scored else ()))
        for span in drift.spans
    ]
    return section("Over time", ("steps", "SQNR", "agreement", *names), rows, first=(drift.sentence,))


def _scores(span: DriftSpan, score: MetricRecord) -> tuple[str, ...]:
    values = (span.reference, span.candidate)
    return tuple(
        "-" if value is None else percent(value) if score.unit == SHARE else metric_value(value, score.unit)
        for value in values
    )
