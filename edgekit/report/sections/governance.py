"""Section on data: the sets, what they have in common, labels that look wrong, and terms."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.ir.plural import counted
from edgekit.parity.data.card import HEADER
from edgekit.parity.data.gate_readings import overlap_words
from edgekit.parity.data.governance import DataGovernance, set_rows
from edgekit.parity.data.labels import LabelCheck
from edgekit.parity.gate_texts import percent
from edgekit.report.sections.section import Section, section


def governance(record: DataGovernance | None) -> Section | None:
    """Section on the data sets; None where they are not known."""
    if record is None:
        return None
    return section("Data", HEADER, map(set_rows, record.sets), _notes(record))


def _notes(record: DataGovernance) -> Iterable[str]:
    for overlap in record.overlaps:
        yield f"Evaluation samples that {overlap.role} has seen: {overlap_words(overlap)}."
        if overlap.examples:
            pairs = (f"{one.sample} and {one.twin} ({one.similarity:.2f})" for one in overlap.examples)
            yield f"Near duplicates, evaluation and {overlap.role} (similarity): {', '.join(pairs)}."
    labels = record.labels
    if labels:
        share = f"{percent(labels.share)}, {labels.suspicious:,} of {labels.samples:,}"
        yield f"Labels that look wrong, as the reference is sure of another class: {share}."
        yield from _independent(labels)
        if labels.examples:
            listed = (f"{one.sample} ({one.label}, rather {one.suggested})" for one in labels.examples)
            yield f"The surest: {', '.join(listed)}."
    for each in record.sets:
        if each.sha256:
            yield f"SHA-256 of {each.role}: {each.sha256}."
        if each.consent:
            yield f"Consent of {each.role}: {each.consent}"
        if each.note:
            yield f"{each.role}: {each.note}."
    yield from (f"NOT ALLOWED. {each}." for each in record.violations)


def _independent(labels: LabelCheck) -> Iterable[str]:
    """A sentence on the samples that the interval of the share counts, if they are fewer."""
    effect = labels.design_effect or 1.0
    if effect > 1:
        groups = f", which are in {counted(labels.clusters, 'group')}" if labels.clusters is not None else ""
        yield (
            f"For its interval these samples{groups} count as {labels.samples / effect:,.0f} independent ones: "
            "the limits of confidence are estimated from them, too."
        )
