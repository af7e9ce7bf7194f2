"""Section on samples from outside: how well both endpoints tell them from the evaluation set."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.ir.plural import counted
from edgekit.parity.gate_texts import percent, points
from edgekit.parity.outside.record import OutsideRecord, PairedShare
from edgekit.report.sections.section import Row, Section, section


def outside(record: OutsideRecord | None) -> Section | None:
    """Section on samples from outside; None where none were measured."""
    if record is None:
        return None
    source = "generated noise" if record.source == "noise" else record.source
    notes = [
        f"{counted(record.outside, 'sample')} from outside ({source}), {counted(record.inside, 'evaluation sample')}; "
        "intervals are a paired bootstrap over both, 95 % sure of each bound. The gate reads " + record.score + "."
    ]
    header = ("", "reference", "candidate", "worse by")
    return section("Samples from outside", header, [*_rows(record), *_kinds(record)], notes, first=(record.sentence,))


def _rows(record: OutsideRecord) -> Iterable[Row]:
    for detection in record.detections:
        yield (f"AUROC, {detection.score}", *_shares(detection.auroc))
        yield (f"FPR at 95 % TPR, {detection.score}", *_shares(detection.fpr95))


def _shares(pair: PairedShare) -> tuple[str, str, str]:
    loss = f"{points(pair.loss)} ({points(pair.low)} to {points(pair.high)})"
    return percent(pair.reference), percent(pair.candidate), loss


def _kinds(record: OutsideRecord) -> Iterable[Row]:
    for kind in record.kinds:
        name, loss = f"AUROC of {kind.name}, {counted(kind.samples, 'sample')}", points(kind.reference - kind.candidate)
        yield (name, percent(kind.reference), percent(kind.candidate), loss)
