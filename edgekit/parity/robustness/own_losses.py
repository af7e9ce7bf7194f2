"""Losses of one model on perturbed samples, where there is no reference to compare it with."""

from __future__ import annotations

from edgekit.ir.record import Record
from edgekit.parity.robustness.robustness import Robustness
from edgekit.perturb.perturbation import FAMILIES, Family


class OwnLoss(Record):
    """Loss of the model under one perturbation."""

    perturbation: str
    family: Family
    losses: tuple[float | None, ...]
    """Loss from clean samples to perturbed ones, by severity; null without labels."""
    stays: float
    """Share of its answers that stay as they are on clean samples, in the mean over the severities."""


class OwnLosses(Record):
    """Losses of a model on perturbed samples."""

    samples: int
    """Number of samples under each condition."""
    among: int
    digest: str
    """SHA-256 over names, severities, versions and parameters of the perturbations."""
    metric: str
    clean: float | None
    """Metric on the same samples as they are; null without labels."""
    perturbations: tuple[OwnLoss, ...]
    unfit: tuple[tuple[str, str], ...] = ()
    """Perturbations that could not be applied, each with the reason."""


def own_losses(robustness: Robustness) -> OwnLosses:
    """Losses of the candidate alone."""
    rows = tuple(
        OwnLoss(
            perturbation=name,
            family=family,
            losses=tuple(robustness.candidate_loss(each) for each in conditions),
            stays=float(sum(each.stays[1].mean() for each in conditions) / len(conditions)),
        )
        for family in FAMILIES
        for name, conditions in robustness.of(family).items()
    )
    return OwnLosses(
        samples=robustness.samples,
        among=robustness.among,
        digest=robustness.digest,
        metric=robustness.metric.name,
        clean=robustness.clean[1].value if robustness.clean else None,
        perturbations=rows,
        unfit=robustness.unfit,
    )
