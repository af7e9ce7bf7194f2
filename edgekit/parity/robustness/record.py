"""Record of robustness in a report: each perturbation with the reference's loss, and what compression adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from edgekit.ir.plural import counted
from edgekit.ir.record import Record
from edgekit.parity.gate_texts import loss_value, percent
from edgekit.parity.robustness.condition_scores import ConditionScores
from edgekit.parity.robustness.robustness import Robustness
from edgekit.parity.statistics.estimate import Estimate
from edgekit.perturb.perturbation import FAMILIES, Family

CONFIDENCE = 0.95
SENSITIVE = 0.01
"""Own loss of the candidate under a systematic perturbation from which on it counts as sensitive to it."""
NAMED = 3
"""Most perturbations that the sentence names."""


class BoundedLoss(Record):
    """Loss between two one-sided bounds, each at 95 %: 0.01 is one point of a share, or 1 % of another metric."""

    value: float
    low: float
    high: float


class SeverityRecord(Record):
    """Both endpoints under one perturbation at one severity."""

    severity: int
    reference: float | None = None
    """Metric of the reference; left out without labels, as all that follows but the agreement."""
    candidate: float | None = None
    reference_loss: float | None = None
    """Loss of the reference itself, from clean samples to these."""
    added_loss: float | None = None
    """Loss of the candidate against the reference on these samples, less the same on clean ones."""
    agreement: float
    """Agreement of both on these samples, in [0, 1]."""


class PerturbationRecord(Record):
    """Both endpoints under one perturbation."""

    perturbation: str
    """Name, with the input's where the model takes several."""
    family: Family
    version: int
    """Version of its parameters."""
    added: BoundedLoss | None = None
    """Loss that compression adds, in the mean over the severities; left out without labels."""
    severities: tuple[SeverityRecord, ...] = Field(min_length=1)
    on: Literal["files", "pixels"] | None = None
    """Systematic noise of pictures: applied to the files before the declared preprocessing, or to the pixels that the
    model takes."""


class Stability(Record):
    """Answers that stay when the scene moves by a pixel, or a frame."""

    reference: float
    """Share of the reference's answers that stay, in [0, 1]."""
    candidate: float
    drop: BoundedLoss
    """Share of the reference less that of the candidate."""


class RobustnessRecord(Record):
    """Robustness of both endpoints (docs/robustness.md)."""

    sentence: str
    """The finding for someone who is no engineer."""
    samples: int
    """Number of samples under each condition; every figure is of so many, paired."""
    among: int
    """Number of evaluation samples that these were chosen of."""
    digest: str
    """SHA-256 over names, severities, versions and parameters of the perturbations."""
    perturbations: tuple[PerturbationRecord, ...]
    sensitive: tuple[str, ...] = ()
    """Systematic perturbations that the candidate is sensitive to, the worst first."""
    stability: Stability | None = None
    unfit: tuple[tuple[str, str], ...] = ()
    """Perturbations that could not be applied, each with the reason."""
    why_pixels: str | None = None
    """Reason why no systematic noise is on files; left out where some is, or nothing of pictures was measured."""


def robustness_record(robustness: Robustness | None) -> RobustnessRecord | None:
    """Record of what was measured; None where nothing was."""
    if robustness is None:
        return None
    perturbations = tuple(
        PerturbationRecord(
            perturbation=name,
            family=family,
            version=conditions[0].condition.perturbation.version,
            added=_bounded(robustness.added_at(conditions, CONFIDENCE)),
            severities=tuple(_severity(robustness, each) for each in conditions),
            on=_place(conditions[0]),
        )
        for family in FAMILIES
        for name, conditions in robustness.of(family).items()
        if family != "shift"
    )
    sensitive = _sensitive(robustness)
    stability = _stability(robustness)
    return RobustnessRecord(
        sentence=" ".join(_sentences(robustness, sensitive, stability)),
        samples=robustness.samples,
        among=robustness.among,
        digest=robustness.digest,
        perturbations=perturbations,
        sensitive=tuple(name for name, _ in sensitive),
        stability=stability,
        unfit=robustness.unfit,
        why_pixels=robustness.why_pixels,
    )


def _place(each: ConditionScores) -> Literal["files", "pixels"] | None:
    if each.condition.perturbation.family != "systematic" or each.condition.perturbation.kind != "pictures":
        return None
    return "files" if each.condition.source else "pixels"


def _bounded(estimate: Estimate | None) -> BoundedLoss | None:
    return BoundedLoss(value=estimate.value, low=estimate.low, high=estimate.high) if estimate else None


def _severity(robustness: Robustness, each: ConditionScores) -> SeverityRecord:
    theirs, ours = each.scores or (None, None)
    added = robustness.reference_loss(each), robustness.added(each)
    return SeverityRecord(
        severity=each.condition.severity,
        reference=theirs.value if theirs else None,
        candidate=ours.value if ours else None,
        reference_loss=added[0],
        added_loss=added[1],
        agreement=each.agreement,
    )


def _stability(robustness: Robustness) -> Stability | None:
    shares, drop = robustness.stability(), _bounded(robustness.stability_drop_at(CONFIDENCE))
    return Stability(reference=shares[0], candidate=shares[1], drop=drop) if shares and drop else None


def _sensitive(robustness: Robustness) -> list[tuple[str, ConditionScores]]:
    """Systematic perturbations that cost the candidate most, each at its worst severity."""
    worst = {
        name: max(conditions, key=lambda each: robustness.candidate_loss(each) or 0.0)
        for name, conditions in robustness.of("systematic").items()
    }
    losses = {name: robustness.candidate_loss(each) or 0.0 for name, each in worst.items()}
    return [(name, worst[name]) for name in sorted(losses, key=lambda one: -losses[one]) if losses[name] >= SENSITIVE]


def _sentences(
    robustness: Robustness, sensitive: Sequence[tuple[str, ConditionScores]], stability: Stability | None
) -> list[str]:
    unit, count = robustness.metric.unit, f"on {counted(robustness.samples, 'sample')}"
    sentences = []
    natural, worst = robustness.of("natural"), robustness.worst_natural(CONFIDENCE)
    if worst:
        own = [robustness.reference_loss(each) or 0.0 for each in natural[worst.name]]
        low, high = (loss_value(value, unit) for value in (worst.estimate.low, worst.estimate.high))
        sentences.append(
            f"Of {counted(len(natural), 'natural perturbation')}, compression adds most to '{worst.name}': "
            f"{loss_value(worst.estimate.value, unit)} (between {low} and {high}) beside the "
            f"{loss_value(sum(own) / len(own), unit)} that the reference itself loses, {count}."
        )
    if robustness.of("systematic"):
        sentences.append(_told_sensitive(robustness, sensitive, count))
    gain = robustness.worst_systematic(CONFIDENCE)
    if gain and gain.gain and gain.estimate.low > 0:
        sentences.append(
            f"IT ANSWERS BETTER WITH '{gain.name.upper()}' THAN WITHOUT, by {loss_value(gain.estimate.value, unit)}: "
            "what it is given is not of the kind that it was trained on."
        )
    shared = robustness.shared_gain(CONFIDENCE)
    if shared and shared.estimate.value >= SENSITIVE and not (gain and gain.gain and gain.name == shared.name):
        sentences.append(
            f"THE REFERENCE AND THE MODEL BOTH ANSWER BETTER WITH '{shared.name.upper()}' THAN WITHOUT, by "
            f"{loss_value(shared.estimate.value, unit)}: what they are given is not of the kind that they were "
            "trained on. Compression has no part in it, and no gate counts it."
        )
    if stability:
        sentences.append(
            f"{percent(stability.candidate)} of its answers stay when the input moves by one step, "
            f"{percent(stability.reference)} of the reference's, {count}."
        )
    if not sentences:
        sentences.append(f"The samples have no labels: agreement alone was measured, {count}.")
    return sentences


def _told_sensitive(robustness: Robustness, sensitive: Sequence[tuple[str, ConditionScores]], count: str) -> str:
    if robustness.clean is None:
        return f"Without labels no sensitivity to what devices do otherwise can be told, {count}."
    if not sensitive:
        differences = len(robustness.of("systematic"))
        return f"It is sensitive to none of {differences} differences between training and device, {count}."
    unit = robustness.metric.unit
    named = [
        f"'{name}' ({loss_value(robustness.candidate_loss(each) or 0.0, unit)}, "
        f"the reference {loss_value(robustness.reference_loss(each) or 0.0, unit)})"
        for name, each in sensitive[:NAMED]
    ]
    more = len(sensitive) - len(named)
    return f"It is sensitive to {', '.join(named)}{f' and {more} more' if more else ''}, {count}."
