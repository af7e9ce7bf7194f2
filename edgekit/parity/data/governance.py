"""Data governance of a verdict: its data sets, what they have in common, their labels and their terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted
from edgekit.ir.record import Record
from edgekit.parity.data.fingerprints import Fingerprints, largest_input
from edgekit.parity.data.labels import LabelCheck
from edgekit.parity.data.sample_kind import Kind
from edgekit.parity.data.twins import NEVER, twins
from edgekit.samples import Samples
from edgekit.specs.project import DataSet
from edgekit.stratification import spread

MOST = 20_000
"""Samples of a set that are compared, at most: more are spread over the set, and the report says so."""
SHOWN = 10
"""Twins that a report names."""
SHOWN_CLASSES = 100
"""Most classes whose counts are listed."""


class TwinExample(Record):
    """A near duplicate: index of the evaluation sample, of its twin in the other set, and their similarity."""

    sample: int
    twin: int
    similarity: float


class DataSetRecord(Record):
    """One data set: its terms as stated, and what was measured of it."""

    role: str
    licence: str
    source: str
    consent: str | None = None
    personal: bool | None = None
    """True if it holds personal data, as stated; left out where that is not stated."""
    samples: int | None = None
    """Samples that were read; left out where none were."""
    total: int | None = None
    """Samples of the whole set."""
    sha256: str | None = None
    """SHA-256 over inputs and labels of the samples that were read, in order."""
    kind: Kind | None = None
    """Kind of the samples, which says what a near duplicate is."""
    exact_duplicates: int | None = None
    """Samples of which another in the set has the same values."""
    near_duplicates: int | None = None
    """Samples that resemble another as a copy does; left out where resemblance tells nothing."""
    constant: int | None = None
    """Samples all of whose values are equal."""
    classes: dict[str, int] | None = None
    """Samples by class; left out for labels that are no classes, and beyond 100 classes."""
    note: str | None = None
    """Remark on how it was measured."""


class OverlapRecord(Record):
    """Evaluation samples that are in another set as well."""

    role: str
    """Set that the evaluation set overlaps with."""
    samples: int
    """Evaluation samples that were compared."""
    others: int
    """Samples of the other set."""
    exact: int
    near: int
    share: float
    """`exact` and `near` over `samples`."""
    examples: tuple[TwinExample, ...] = ()
    note: str | None = None
    """Remark on how they were compared, or why they are the same."""


class DataGovernance(Record):
    """Data sets of a verdict, and what was noticed about them."""

    sets: tuple[DataSetRecord, ...]
    overlaps: tuple[OverlapRecord, ...] = ()
    labels: LabelCheck | None = None
    """Labels that look wrong to the reference; left out where labels are no classes."""
    allowed: tuple[str, ...] | None = None
    """Licences of the project's policy; left out where it names none."""
    policy: bool = False
    """True if the project has a policy."""
    violations: tuple[str, ...] = ()
    """Sentences on sets whose terms the policy does not allow, one a set."""

    def overlap(self, role: str) -> OverlapRecord | None:
        """Overlap of the evaluation set with the set of this role; None where they were not compared."""
        return next((each for each in self.overlaps if each.role == role), None)


def stated_record(role: str, stated: DataSet) -> DataSetRecord:
    """Record of a set that was not measured: its terms."""
    return DataSetRecord(
        role=role, licence=stated.licence, source=stated.source, consent=stated.consent, personal=stated.personal
    )


def measured_record(role: str, stated: DataSet, samples: Samples, classes: Sequence[str]) -> DataSetRecord:
    """Record of a set with what its samples show. classes: names, for the counts; may be empty."""
    prints, note = _compared(samples)
    within = twins(prints)
    note = note or _resemblance(within.limit, prints)
    return stated_record(role, stated).model_copy(
        update={
            "samples": len(samples),
            "total": samples.sampling.total if samples.sampling else len(samples),
            "sha256": samples.digest,
            "kind": prints.kind,
            "exact_duplicates": len(within.exact),
            "near_duplicates": None if within.limit == NEVER else len(within.near),
            "constant": constant(samples.inputs),
            "classes": balance(samples.labels, classes),
            "note": note,
        }
    )


def overlap_record(role: str, evaluation: Samples, other: Samples, same_source: str | None = None) -> OverlapRecord:
    """Overlap of the evaluation set with another. same_source: path or loader that both state, if they do."""
    (ours, note), (theirs, other_note) = _compared(evaluation), _compared(other)
    pairs = twins(ours, theirs)
    exact, near = len(pairs.exact), len(pairs.near)
    notes = [f"both state the same source, '{same_source}'" if same_source else None, note, other_note]
    notes.append(_resemblance(pairs.limit, ours))
    order = np.argsort(-pairs.similarity, kind="stable")[:SHOWN]
    return OverlapRecord(
        role=role,
        samples=len(ours),
        others=len(theirs),
        exact=exact,
        near=near,
        share=(exact + near) / max(len(ours), 1),
        examples=tuple(
            TwinExample(
                sample=int(pairs.near[i]),
                twin=int(pairs.partner[i]),
                similarity=round(float(pairs.similarity[i]), 4),
            )
            for i in order
        ),
        note="; ".join(dict.fromkeys(filter(None, notes))) or None,
    )


def constant(inputs: Mapping[str, Array]) -> int:
    """Number of samples all of whose values are equal, in the largest input."""
    values = inputs[largest_input(inputs)]
    flat = values.reshape(len(values), -1)
    return int((flat == flat[:, :1]).all(axis=1).sum()) if flat.shape[1] > 1 else 0


def balance(labels: Array, classes: Sequence[str]) -> dict[str, int] | None:
    """Samples by class, every class of the project included; None for labels that are no classes, or very many."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels) or labels.min() < 0:
        return None
    count = max(int(labels.max()) + 1, len(classes))
    if count > SHOWN_CLASSES:
        return None
    counts = np.bincount(labels, minlength=count)
    return {classes[i] if i < len(classes) else str(i): int(counts[i]) for i in range(count)}


def set_rows(record: DataSetRecord) -> tuple[str, ...]:
    """Cells that show a set: role, samples, licence, source, personal data, duplicates, constant samples, classes."""
    personal = "not stated" if record.personal is None else "yes" if record.personal else "no"
    if record.samples is None:
        return (record.role, "-", record.licence, record.source, personal, "-", "-", "-")
    exact = "exact ones not told" if record.exact_duplicates is None else f"{record.exact_duplicates:,} exact"
    near = "near ones not told" if record.near_duplicates is None else f"{record.near_duplicates:,} near"
    is_part = record.total not in (None, record.samples)
    return (
        record.role,
        f"{record.samples:,} of {record.total:,}" if is_part else f"{record.samples:,}",
        record.licence,
        record.source,
        personal,
        f"{exact}, {near}",
        "-" if record.constant is None else f"{record.constant:,}",
        _classes(record.classes),
    )


def _classes(counts: Mapping[str, int] | None) -> str:
    """Words on the balance of classes: `10: 178 of each`, or the smallest and the largest."""
    if not counts:
        return "-"
    least, most = min(counts, key=lambda name: counts[name]), max(counts, key=lambda name: counts[name])
    if counts[least] == counts[most]:
        return f"{len(counts)}: {counts[least]:,} of each"
    return f"{len(counts)}: {counts[least]:,} of '{least}' to {counts[most]:,} of '{most}'"


def _compared(samples: Samples) -> tuple[Fingerprints, str | None]:
    """Fingerprints of the samples, or of MOST of them, and a remark that says so."""
    if len(samples) <= MOST:
        return Fingerprints.of(samples.inputs), None
    note = f"{MOST:,} of {counted(len(samples), 'sample')} were compared, spread over the set"
    return Fingerprints.of(samples.take(spread(len(samples), MOST)).inputs), note


def _resemblance(limit: float, prints: Fingerprints) -> str | None:
    if limit != NEVER:
        return None
    return f"its samples resemble each other as much as copies would, so only exact duplicates of {prints.kind} count"
