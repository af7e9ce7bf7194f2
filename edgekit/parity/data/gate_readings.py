"""Readings of the gates on data sets: overlaps, terms and labels."""

from __future__ import annotations

from edgekit.ir.plural import counted
from edgekit.parity.data.governance import DataGovernance, OverlapRecord
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.statistics.estimate import Estimate, exact

GOVERNED = ("calibration_overlap", "training_overlap", "licences", "mislabelled_share")
"""Gates that are read off the data sets."""


def default_gates(governance: DataGovernance | None) -> tuple[str, ...]:
    """Gates that hold at most 0 where the profile does not name them: those for which there is something to hold."""
    if governance is None:
        return ()
    overlaps = ("calibration_overlap",) if governance.overlap("calibration") else ()
    return (*overlaps, *(("licences",) if governance.policy else ()))


def governance_reading(
    name: str, governance: DataGovernance | None, confidence: float | None
) -> Estimate | MissingValue:
    """Value of a gate of `GOVERNED`, or the reason why there is none.

    The share of suspicious labels is an estimate from samples: between two bounds, each at `confidence`.
    """
    if governance is None:
        return MissingValue("the data sets are not known here; edgekit build and edgekit run compare them")
    if name == "licences":
        if not governance.policy:
            return MissingValue(
                "the project states no policy; [policy] in edgekit.toml names the licences that are allowed"
            )
        return exact(len(governance.violations))
    if name == "mislabelled_share":
        labels = governance.labels
        if labels is None:
            return MissingValue("labels that are no classes, or all of one class, tell nothing of their own faults")
        return labels.interval(confidence) if confidence else exact(labels.share)
    role = name.removesuffix("_overlap")
    overlap = governance.overlap(role)
    if overlap is None:
        # A recipe that calibrates nothing has seen none of the evaluation samples by that.
        return MissingValue(f"no {role} set was used", vacuous=role == "calibration")
    return exact(overlap.share)


def governance_words(name: str, governance: DataGovernance | None) -> str:
    """Words on the counts behind the value of a gate of `GOVERNED`, after the value."""
    if governance is None:
        return ""
    if name == "licences":
        listed = "; ".join(governance.violations)
        return f" of {len(governance.sets)}" + (f" ({listed})" if listed else "")
    if name == "mislabelled_share":
        labels = governance.labels
        return f" ({labels.suspicious:,} of {counted(labels.samples, 'sample')})" if labels else ""
    overlap = governance.overlap(name.removesuffix("_overlap"))
    return f" ({overlap_words(overlap)})" if overlap else ""


def overlap_words(overlap: OverlapRecord) -> str:
    """Counts of an overlap in words: `30 of 1,000 samples, 10 exact and 20 near, among 512 of calibration`."""
    count = f"{overlap.exact + overlap.near:,} of {counted(overlap.samples, 'sample')}"
    kinds = f", {overlap.exact:,} exact and {overlap.near:,} near," if overlap.exact + overlap.near else ""
    note = f"; {overlap.note}" if overlap.note else ""
    return f"{count}{kinds} among {overlap.others:,} of {overlap.role}{note}"
