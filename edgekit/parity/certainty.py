"""Words after the value of a gate: what it was measured on, and how sure it is."""

from __future__ import annotations

from edgekit.ir.plural import counted
from edgekit.parity.adversarial_readings import adversarial_words
from edgekit.parity.data.gate_readings import GOVERNED, governance_words
from edgekit.parity.gate_inputs import GateInputs
from edgekit.parity.gate_readings import all_fell_back
from edgekit.parity.gate_texts import QUANTITIES, quantity_of
from edgekit.parity.poisoning_readings import GATES as POISONING_GATES
from edgekit.parity.poisoning_readings import poisoning_words
from edgekit.parity.probability_readings import GATES as PROBABILITY_GATES
from edgekit.parity.probability_readings import measured_on
from edgekit.parity.robustness.readings import WorstEstimate
from edgekit.parity.sampled_readings import SAMPLED
from edgekit.parity.slice_readings import GATES as SLICE_GATES
from edgekit.parity.slice_readings import slice_words
from edgekit.parity.statistics.estimate import Estimate
from edgekit.specs.profile import Bound


def certainty(name: str, reading: Estimate, bound: Bound, facts: GateInputs) -> str:
    """Words on the number of samples of an estimate, and on its interval."""
    comparison = facts.comparison
    if name in SAMPLED:
        on = f" on {counted(comparison.samples, 'sample')}{_of_groups(facts)}"
        if (
            name == "reference_accuracy"
            and comparison.chance is not None
            and comparison.chance in (bound.min, bound.max)
        ):
            on += ", where one constant answer reaches as much as the limit"
        return on + _between(name, reading, bound, facts)
    if isinstance(reading, WorstEstimate):
        return f" {reading.words}{_between(name, reading, bound, facts)}"
    if name in SLICE_GATES:
        return slice_words(name, bound, comparison.slices, comparison.metric.unit)
    if name in PROBABILITY_GATES:
        return measured_on(name, comparison) + _between(name, reading, bound, facts)
    if name in POISONING_GATES and comparison.poisoning:
        return poisoning_words(name, comparison.poisoning)
    if name == "adversarial_drop" and comparison.adversarial:
        return adversarial_words(comparison.adversarial) + _between(name, reading, bound, facts)
    if name in GOVERNED:
        return governance_words(name, comparison.governance)
    return _of_artifact(name, reading, facts)


def stated_confidence(name: str, bound: Bound, facts: GateInputs) -> float | None:
    """Confidence of each bound of a gate's interval, over all looks where there were several; None without one."""
    stop = facts.comparison.early_stop if name in SAMPLED else None
    return stop.stated(bound.confidence) if stop else bound.confidence


def _of_artifact(name: str, reading: Estimate, facts: GateInputs) -> str:
    if name in ("fallback_share", "fallback_bytes_share") and all_fell_back(facts):
        provider = facts.comparison.candidate.environment.missed_provider
        return f" (the device ran all of it on its CPU: neither '{provider}' nor any other GPU provider works there)"
    if name in ("size_ratio", "smaller") and reading.value != facts.size_ratio:
        whole = QUANTITIES[name].show(facts.size_ratio)
        return f" by what can be compressed, the weights ({whole} with graph, biases and scales)"
    return ""


def _between(name: str, reading: Estimate, bound: Bound, facts: GateInputs) -> str:
    """Words on the interval of an estimate; none for a gate without confidence."""
    confidence = stated_confidence(name, bound, facts)
    if confidence is None:
        return ""
    stop = facts.comparison.early_stop if name in SAMPLED else None
    show = quantity_of(name, facts.comparison.metric.unit).show
    sure = f"{100 * confidence:g} % sure of each{' over all looks' if stop else ''}"
    return f" (between {show(reading.low)} and {show(reading.high)}, {sure})"


def _of_groups(facts: GateInputs) -> str:
    count = facts.comparison.group_count
    if count is None:
        return ""
    named = f" by '{facts.group}'" if facts.group else ""
    return f" of {counted(count, 'group')}{named}"
