"""Section on slices: where the candidate loses more than elsewhere, and the gaps between groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgekit.ir.plural import counted
from edgekit.parity.gate_texts import loss_value, percent, points
from edgekit.parity.slices.record import SliceParity, SliceRecord
from edgekit.report.sections.section import Row, Section, section
from edgekit.stratification import FEW
from edgekit.tasks.metric import SHARE

SHOWN = 8
"""Rows of a family of slices: those that lost most; report.json has all."""
HEADER = ("slice", "samples", "reference", "candidate", "lost", "all others", "p (Holm)")
_FAMILIES = (("stated", "stated slices"), ("automatic", "automatic slices"), ("class", "classes"))


def slices(parity: SliceParity | None, unit: str) -> Section | None:
    """Section on the slices; None where there is none. unit: that of the metric."""
    if parity is None or not (parity.slices or parity.classes or parity.remarks):
        return None
    families = [
        (title, [each for each in (*parity.slices, *parity.classes) if each.origin == origin])
        for origin, title in _FAMILIES
    ]
    rows = [_row(each, unit) for _, family in families for each in _worst(family)]
    notes = [*_gaps(parity), *_left_out(families), *parity.remarks]
    return section("Slice by slice", HEADER, rows, notes, (parity.sentence,))


def _worst(family: Sequence[SliceRecord]) -> list[SliceRecord]:
    """Slices that lost most, those that are judged first."""
    lost = lambda each: (not each.judged, -(each.drop or 0.0), each.agreement)  # noqa: E731
    return sorted(family, key=lost)[:SHOWN]


def _row(record: SliceRecord, unit: str) -> Row:
    known = record.drop is not None
    lost = loss_value(round(record.drop, 4), unit) if record.drop is not None else "no labels"
    bounds = (
        f" ({100 * record.low:.1f} to {100 * record.high:.1f})"
        if record.low is not None and record.high is not None
        else ""
    )
    groups = "" if record.clusters is None else f" in {counted(record.clusters, 'group')}"
    return (
        record.words,
        f"{record.samples:,}{groups}" + ("" if record.judged or not known else ", too few to judge"),
        "-" if record.reference is None else _score(record.reference, unit),
        _score(record.candidate, unit) if record.candidate is not None else f"agrees to {percent(record.agreement)}",
        f"{lost}{bounds}",
        "-" if record.others is None else loss_value(round(record.others, 4), unit),
        "-" if record.p is None else f"{record.p:.2g}",
    )


def _score(score: float, unit: str) -> str:
    return percent(round(score, 4)) if unit == SHARE else f"{score:.4g}"


def _gaps(parity: SliceParity) -> Iterable[str]:
    """Sentences on the gaps between the groups of each column."""
    for gap in parity.gaps:
        yield (
            f"Error rates of the {gap.groups} groups of '{gap.by}' ({counted(gap.samples, 'sample')}) differ by "
            f"{points(round(gap.before, 4))} before and {points(round(gap.after, 4))} after compression: {gap.worst} "
            f"errs most, {gap.best} least."
        )


def _left_out(families: Sequence[tuple[str, Sequence[SliceRecord]]]) -> Iterable[str]:
    """Sentences on rows that are not shown, and on slices that are too small."""
    for title, family in families:
        few = sum(not each.judged for each in family if each.drop is not None)
        if len(family) > SHOWN:
            yield f"Of {len(family)} {title} the {SHOWN} that lost most are shown; report.json has all."
        if few:
            have, shown = ("has", "it is") if few == 1 else ("have", "they are")
            yield f"{few} of {len(family)} {title} {have} fewer than {FEW} samples: {shown} shown, and not judged."
