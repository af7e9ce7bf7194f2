"""Sections on robustness: under each perturbation, what the reference loses, and what compression adds."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.ir.plural import counted
from edgekit.parity.gate_texts import decimal, percent, points
from edgekit.parity.robustness.record import PerturbationRecord, RobustnessRecord
from edgekit.report.sections.section import Section, section
from edgekit.tasks.metric import SHARE

TITLES = {"natural": "Robustness to natural perturbations", "systematic": "Sensitivity to what devices do otherwise"}


def robustness(record: RobustnessRecord | None, unit: str) -> Iterator[Section]:
    """Sections on robustness, the finding above the first; none where nothing was measured."""
    if record is None:
        return
    first: tuple[str, ...] = (record.sentence,)
    of = "points" if unit == SHARE else "% of the clean metric"
    for family, title in TITLES.items():
        rows = [_row(one, unit) for one in record.perturbations if one.family == family]
        if rows:
            header = ("perturbation", f"reference loses ({of})", f"compression adds ({of})", "adds in the mean")
            notes = [*_notes(record, whole=bool(first)), *(_places(record) if family == "systematic" else ())]
            yield section(title, header, rows, notes, first=first)
            first = ()
    if record.stability:
        stays = record.stability
        rows = [
            ("reference", percent(stays.reference)),
            ("candidate", percent(stays.candidate)),
            ("drop", f"{points(stays.drop.value)} ({points(stays.drop.low)} to {points(stays.drop.high)})"),
        ]
        notes = [f"{counted(record.samples, 'sample')}, each moved by pixels, frames or steps; bounds at 95 % each."]
        yield section("Stability", ("", "answers that stay"), rows, notes, first=first)


def _row(one: PerturbationRecord, unit: str) -> tuple[str, ...]:
    added = one.added
    mean = f"{_short(added.value)} ({_short(added.low)} to {_short(added.high)})" if added else "-"
    columns = [[each.reference_loss for each in one.severities], [each.added_loss for each in one.severities]]
    return (one.perturbation, *(" ".join(map(_short, column)) for column in columns), mean)


def _short(loss: float | None) -> str:
    return "-" if loss is None else decimal(100 * loss, 1)


def _notes(record: RobustnessRecord, whole: bool) -> list[str]:
    """Sentences under a table; with `whole`, also on what was not applied, which one table tells for all."""
    chosen = (
        f"{counted(record.samples, 'sample')}"
        if record.samples == record.among
        else (f"{record.samples:,} of {counted(record.among, 'sample')}")
    )
    notes = [
        f"{chosen} under each condition, the severities from left to right, the mildest first; bounds at 95 % each. "
        f"Perturbations: {record.digest[:16]}."
    ]
    return notes + [f"Not applied: {name}, as {why}." for name, why in record.unfit if whole]


def _places(record: RobustnessRecord) -> Iterator[str]:
    """Sentences on which pictures were changed as files, and which as the pixels that the model takes."""
    named = {on: [one.perturbation for one in record.perturbations if one.on == on] for on in ("files", "pixels")}
    if named["files"]:
        yield f"On the files themselves, before the declared preprocessing: {', '.join(named['files'])}."
    if named["pixels"]:
        why = f", as {record.why_pixels}" if record.why_pixels else ""
        yield f"On the pixels that the model takes: {', '.join(named['pixels'])}{why}."
