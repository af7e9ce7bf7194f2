"""Number of samples that would settle an undecided gate, in words."""

from __future__ import annotations

from edgekit.parity.gate_inputs import GateInputs
from edgekit.parity.more_samples import more_samples
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.parity.statistics.estimate import Estimate
from edgekit.parity.statistics.proportions import tango, wilson
from edgekit.parity.statistics.sample_size import planning_confidence, settling_count, shrunk
from edgekit.specs.profile import Bound


def advice(name: str, bound: Bound, reading: Estimate, facts: GateInputs) -> str:
    """Clause on what would settle the gate `name`, whose `reading` is undecided."""
    paired, stop = facts.comparison, facts.comparison.early_stop
    confidence = stop.confidence(bound.confidence) if stop else bound.confidence
    if confidence is None or confidence <= 0.5:
        return more_samples(None, paired.samples, facts.available)

    def expected(samples: float) -> Estimate:
        return expected_reading(name, paired, reading, samples, confidence)

    needed = settling_count(expected, paired.samples, bound.min, bound.max)
    return more_samples(needed, paired.samples, facts.available)


def expected_reading(
    name: str, paired: PairedAnswers, reading: Estimate, samples: float, confidence: float
) -> Estimate:
    """Interval to plan with, if `samples` samples are answered like those of `paired`.

    reading: what these gave at `confidence`.
    """
    planning, independent = planning_confidence(confidence), paired.groups is None
    if name in ("accuracy_drop", "accuracy_change") and independent and paired.is_mean and paired.is_binary:
        scale = samples / paired.samples
        lost, won = (paired.differences > 0).sum() * scale, (paired.differences < 0).sum() * scale
        drop = tango(float(lost), float(won), samples, planning)
        return drop if name == "accuracy_drop" else -drop
    share = name == "agreement" or (name == "reference_accuracy" and paired.is_mean)
    if share and independent:
        return wilson(reading.value, samples, 2 * planning - 1)
    return shrunk(reading, paired.samples, samples, confidence)
