"""Readings of the gates whose quantities are estimated from samples."""

from __future__ import annotations

from edgekit.parity.paired_answers import PairedAnswers
from edgekit.parity.statistics.estimate import Estimate

SAMPLED = ("reference_accuracy", "accuracy_drop", "accuracy_change", "agreement")
"""Gates on quantities that are estimated from samples."""


def sampled_reading(name: str, paired: PairedAnswers, confidence: float | None) -> Estimate | None:
    """Read the quantity that a gate of `SAMPLED` bounds; None where it needs labels, and there are none.

    confidence: one-sided, of each bound; None takes the value as it is.
    """
    if confidence is None:
        value = _value(name, paired)
        return None if value is None else Estimate(value, value, value)
    match name:
        case "reference_accuracy":
            return paired.reference_at(confidence)
        case "accuracy_drop":
            return paired.drop_at(confidence)
        case "accuracy_change":
            drop = paired.drop_at(confidence)
            return -drop if drop else None
        case _:
            return paired.agreement_at(confidence)


def _value(name: str, paired: PairedAnswers) -> float | None:
    if name == "agreement":
        return paired.agreement
    if paired.scores is None:
        return None
    if name == "reference_accuracy":
        return paired.scores[0].value
    drop = paired.accuracy_drop
    return drop if name == "accuracy_drop" or drop is None else -drop
