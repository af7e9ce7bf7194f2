"""Section on the calibration of probabilities: errors of both endpoints, and a reliability diagram."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.ir.plural import counted
from edgekit.parity.calibration.record import CalibrationDifference, CalibrationFigures, CalibrationRecord
from edgekit.parity.gate_texts import percent, points
from edgekit.report.sections.charts import Reliability, ReliabilityChart
from edgekit.report.sections.section import Row, Section, section

ERROR_NOTE = (
    "The expected calibration error of few samples is too high by chance, alike for both: the difference is what is "
    "judged. Intervals are a paired bootstrap over samples, 95 % sure of each bound."
)


def calibration(record: CalibrationRecord | None) -> Section | None:
    """Section on calibration; None where no probabilities were compared."""
    if record is None:
        return None
    noun = "classes, each a decision" if record.several else "answers"
    how = "stated under [task]" if record.stated else "told by the reference's values"
    notes = [
        f"{record.decisions:,} {noun} of {counted(record.samples, 'sample')}; the output holds {record.form}, {how}.",
        ERROR_NOTE,
    ]
    return section(
        "Calibration of the probabilities",
        ("", "reference", "candidate", "difference"),
        [*_errors(record), *_gain(record), *_reliability(record)],
        notes,
        first=(record.sentence, *_temperature(record)),
        picture=_picture(record),
    )


def _errors(record: CalibrationRecord) -> Iterable[Row]:
    ours, theirs = record.reference, record.candidate
    yield ("expected calibration error", points(ours.ece), points(theirs.ece), _shares(record.ece_drop))
    adaptive = points(ours.adaptive_ece), points(theirs.adaptive_ece)
    yield ("with bins of equal mass", *adaptive, _shares(record.adaptive_ece_drop))
    yield ("Brier score", f"{ours.brier:.4f}", f"{theirs.brier:.4f}", _numbers(record.brier_drop))
    yield ("negative log-likelihood", f"{ours.nll:.4f} nats", f"{theirs.nll:.4f} nats", _numbers(record.nll_drop))
    yield ("mean confidence", percent(ours.confidence), percent(theirs.confidence), "")
    yield ("share that is right", percent(ours.outcome), percent(theirs.outcome), "")


def _gain(record: CalibrationRecord) -> Iterable[Row]:
    """Row of the temperature that these samples ask for; halves of them are measured with each other's."""
    gain = record.gain
    if gain.at_limit:
        yield ("best temperature", "", "none: the search ends at its limit", "")
        return
    yield ("best temperature", "", f"{gain.temperature:.3f}", f"leaves an error of {points(gain.ece)}")


def _temperature(record: CalibrationRecord) -> Iterable[str]:
    if record.temperature is None or record.untempered is None:
        return
    yield (
        f"The model divides its logits by {record.temperature:.4g}: without it the reference's error is "
        f"{points(record.untempered.ece)}."
    )


def _reliability(record: CalibrationRecord) -> Iterable[Row]:
    """Rows of the reliability diagram: share that is right, of how many decisions, by confidence."""
    sides = [{each.low: each for each in figures.bins} for figures in (record.reference, record.candidate)]
    for low in sorted({low for side in sides for low in side}):
        cells = [side.get(low) for side in sides]
        high = next(cell.high for cell in cells if cell)
        right = [f"{percent(cell.outcome)} of {cell.count:,}" if cell else "-" for cell in cells]
        yield (f"right, sure to {100 * low:.0f} to {100 * high:.0f} %", *right, "")


def _shares(difference: CalibrationDifference) -> str:
    return f"{points(difference.value)} ({points(difference.low)} to {points(difference.high)})"


def _numbers(difference: CalibrationDifference) -> str:
    return f"{difference.value:.4f} ({difference.low:.4f} to {difference.high:.4f})"


def _picture(record: CalibrationRecord) -> ReliabilityChart:
    sides = (("reference", record.reference), ("candidate", record.candidate))
    words = "; ".join(f"{name}: {_words(figures)}" for name, figures in sides)
    return ReliabilityChart(
        f"Share of the decisions that is right, by how sure the model is. {words}.",
        tuple(Reliability(f"{name}: off by {points(figures.ece)}", figures.bins) for name, figures in sides),
    )


def _words(figures: CalibrationFigures) -> str:
    return f"sure to {percent(figures.confidence)} on the whole, right in {percent(figures.outcome)}"
