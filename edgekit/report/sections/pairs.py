"""Section of the paired samples: loss of the metric, agreement, flips, and noise of the outputs."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.ir.plural import counted
from edgekit.parity.gate_texts import loss_value, metric_value, milliseconds, noise, percent, times
from edgekit.report.record import ReportRecord
from edgekit.report.sections.accuracy import accuracy_chart
from edgekit.report.sections.endpoints import confidence
from edgekit.report.sections.section import Row, Section, section

SHOWN = 5
"""Flipped samples that the section tells."""


def pairs(report: ReportRecord) -> Section:
    """Compare both endpoints sample by sample."""
    rows = [
        *_sampled(report),
        *_lost(report),
        ("agreement", percent(report.agreement)),
        *_also(report),
        *_flips(report),
        ("SQNR of the outputs", noise(report.sqnr_db)),
        *((f"SQNR of '{name}'", noise(value)) for name, value in (report.outputs_sqnr_db or {}).items()),
    ]
    if report.host_parity:
        rows.append(("on the device and on the host", report.host_parity.sentence))
    if report.baseline_instructions and report.candidate.instructions:
        ratio = times(report.candidate.instructions / report.baseline_instructions)
        rows.append(("instructions", f"{ratio} the baseline's {report.baseline_instructions:,}"))
    rows += [*_against_float(report), *_examples(report)]
    changes = [f"{change}." for change in report.sampling.changes] if report.sampling else []
    return section("Sample by sample", ("", "measured"), rows, changes, picture=accuracy_chart(report))


def _lost(report: ReportRecord) -> Iterable[Row]:
    """Row of the loss of the metric; none without labels."""
    bounds, score = report.accuracy_drop_bounds, report.reference.score
    if bounds is None or score is None or report.accuracy_drop is None:
        return
    sure = f"{100 * bounds.confidence:g} % sure of each"
    lost = loss_value(report.accuracy_drop, score.unit)
    yield ("accuracy drop", f"{lost} ({confidence(bounds.low, bounds.high)}, {sure})")


def _also(report: ReportRecord) -> Iterable[Row]:
    """Rows of the figures beside the metric: of the reference, then of the candidate; or of the pair."""
    for figure in report.also_measured or ():
        sides = [value for value in (figure.reference, figure.candidate) if value is not None]
        yield (f"also measured: {figure.name}", " → ".join(metric_value(value, figure.unit) for value in sides))


def _flips(report: ReportRecord) -> Iterable[Row]:
    """Rows of the numbers of flipped samples."""
    flips = report.flips
    if report.reference.score is None:
        yield ("answered otherwise", counted(len(flips.samples), "sample"))
    else:
        right = "right" if report.reference.score.name == "top1" else "better"
        yield (f"{right} only in the reference", counted(flips.reference_only, "sample"))
        yield (f"{right} only in the candidate", counted(flips.candidate_only, "sample"))
        mid = "" if report.mcnemar_mid_p is None else f" (mid-p {report.mcnemar_mid_p:.3g})"
        yield ("McNemar's p", f"{report.mcnemar_p:.3g}{mid}")


def _examples(report: ReportRecord) -> Iterable[Row]:
    """Rows of the first flipped samples, in words."""
    for flip in report.flips.examples[:SHOWN]:
        label = "" if flip.label is None else f"; label: {flip.label}"
        name = "" if flip.id is None else f", {flip.id}"
        yield (
            f"flipped sample {flip.sample:,}{name}",
            f"reference: {flip.reference}; candidate: {flip.candidate}{label}",
        )


def _against_float(report: ReportRecord) -> Iterable[Row]:
    """Row of the ratio to the float file on the same device."""
    file, candidate = report.float_file, report.candidate
    if file and file.instructions and candidate.instructions:
        ratio = times(candidate.instructions / file.instructions)
        yield ("instructions", f"{ratio} the float file's {file.instructions:,}")
    elif file and file.latency.p50_ns and candidate.latency.p50_ns:
        ratio = times(candidate.latency.p50_ns / file.latency.p50_ns)
        yield ("latency p50", f"{ratio} the float file's {milliseconds(file.latency.p50_ns / 1e6)}")


def _sampled(report: ReportRecord) -> Iterable[Row]:
    """Rows of the selection of samples, where not all were taken, of their groups, and of an early stop."""
    sampling, stop = report.sampling, report.early_stop
    if sampling is not None and sampling.taken != sampling.total:
        how = "stratified by class" if sampling.stratified else "spread over the set"
        yield ("samples", f"{sampling.taken:,} of {sampling.total:,}, {how}")
    if report.groups is not None:
        yield ("groups", f"{report.groups:,}: samples of one are not independent, and intervals know it")
    if stop is not None:
        yield ("asked of the device", f"{stop.asked:,} of {counted(stop.of, 'sample')}, in random order: {stop.reason}")
