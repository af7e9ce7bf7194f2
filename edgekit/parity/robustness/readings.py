"""Readings of the gates on robustness: the worst perturbation, with the number of samples and its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.ir.plural import counted
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.robustness.robustness import NamedEstimate, Robustness
from edgekit.parity.statistics.estimate import Estimate
from edgekit.perturb.perturbation import Family

FAMILY_OF_GATE: Mapping[str, Family] = {
    "robustness_drop": "natural",
    "systematic_drop": "systematic",
    "stability_drop": "shift",
}
"""Family of perturbations that a gate is on; a gate that is named has it measured."""
SURE = 0.95


@dataclass(frozen=True)
class WorstEstimate(Estimate):
    """Estimate of the worst of several, and words on it."""

    worst: str | None
    """Name of the worst; None where all are taken together."""
    words: str
    """Words on what was measured, on how many samples."""
    samples: int


def robustness_reading(
    name: str, confidence: float | None, robustness: Robustness | None
) -> WorstEstimate | MissingValue:
    """Value of a gate of `FAMILY_OF_GATE`, or the reason why there is none. confidence: None for the value alone."""
    family = FAMILY_OF_GATE[name]
    if robustness is None:
        return MissingValue(
            "no perturbed samples were measured here; edgekit build, or run, with the project's evaluation samples"
        )
    conditions = robustness.of(family)
    if not conditions:
        why = f": {robustness.unfit[0][1]}" if robustness.unfit else ""
        return MissingValue(f"no {family} perturbation fits the inputs{why}")
    count, number = robustness.samples, sum(map(len, conditions.values()))
    on = f"on {counted(count, 'sample')}, each under {counted(number, 'condition')}"
    if family == "shift":
        drop = robustness.stability_drop_at(confidence or SURE)
        reference, candidate = robustness.stability() or (1.0, 1.0)
        words = f"{100 * candidate:.1f} % of the answers stay, {100 * reference:.1f} % of the reference's, {on}"
        return MissingValue("nothing was shifted") if drop is None else _estimate(drop, None, words, count, confidence)
    worst = (robustness.worst_natural if family == "natural" else robustness.worst_systematic)(confidence or SURE)
    if worst is None:
        return MissingValue("the samples have no labels, so that no answer can be told to be lost")
    return _estimate(worst.estimate, worst.name, f"{_finding(worst)}, {on}", count, confidence)


def _finding(worst: NamedEstimate) -> str:
    if worst.gain:
        return (
            f"the model answers better with '{worst.name}' than without, and gains more by it than the reference: it "
            "expects inputs of that kind"
        )
    return f"by '{worst.name}', beyond what the reference itself loses"


def _estimate(
    estimate: Estimate, worst: str | None, words: str, samples: int, confidence: float | None
) -> WorstEstimate:
    value = estimate.value
    low, high = (estimate.low, estimate.high) if confidence else (value, value)
    return WorstEstimate(value, low, high, worst, words, samples)
