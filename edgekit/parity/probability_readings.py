"""Readings of the gates on probabilities: their calibration, and what they tell of samples from outside."""

from __future__ import annotations

from edgekit.ir.plural import counted
from edgekit.parity.comparison import Comparison
from edgekit.parity.gate_texts import points
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.statistics.estimate import Estimate, exact

CALIBRATION, OUTSIDE = "calibration_drop", "outside_auroc_drop"
GATES = (CALIBRATION, OUTSIDE)
NO_CALIBRATION = MissingValue("no probabilities were compared")
NO_OUTSIDE = MissingValue(
    'no samples from outside were measured; [data] outside = "noise" makes some, outside = { path = …, licence = …, '
    "source = … } names a data set"
)


def probability_reading(name: str, comparison: Comparison, confidence: float | None) -> Estimate | MissingValue:
    """Value of a gate of `GATES`, with its interval where there is a confidence, or the reason why there is none."""
    pair = comparison.calibration or NO_CALIBRATION if name == CALIBRATION else comparison.outside or NO_OUTSIDE
    if isinstance(pair, MissingValue):
        return pair
    estimate = pair.drop_at(confidence or 0.95)
    return estimate if confidence else exact(estimate.value)


def measured_on(name: str, comparison: Comparison) -> str:
    """Words on both endpoints' values, and on the number of samples, of a gate of `GATES` that was measured."""
    if name == CALIBRATION and comparison.calibration and not isinstance(comparison.calibration, MissingValue):
        record = comparison.calibration.record
        ours, theirs = points(record.reference.ece), points(record.candidate.ece)
        return f" (the reference's is {ours}, the candidate's {theirs}) on {counted(record.samples, 'sample')}"
    if name == OUTSIDE and comparison.outside and not isinstance(comparison.outside, MissingValue):
        detected = comparison.outside.record
        decisive = next(each.auroc for each in detected.detections if each.score == detected.score)
        sides = f"from {decisive.reference:.4f} to {decisive.candidate:.4f} by {detected.score}"
        return f" ({sides}) on {counted(detected.inside, 'evaluation sample')} and {detected.outside:,} from outside"
    return ""
