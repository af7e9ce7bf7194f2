"""Read the quantity that a gate bounds off a comparison, or the reason why it has no value that may be judged."""

from __future__ import annotations

from edgekit.ir.plural import counted, verb
from edgekit.parity import accelerator_readings, poisoning_readings, probability_readings, slice_readings
from edgekit.parity.adversarial_readings import adversarial_reading
from edgekit.parity.chance import fewest_answers
from edgekit.parity.data.gate_readings import GOVERNED, governance_reading
from edgekit.parity.device_readings import against_float, instructions_ratio, on_device
from edgekit.parity.gate_inputs import GateInputs
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.more_samples import more_samples
from edgekit.parity.robustness.readings import FAMILY_OF_GATE, robustness_reading
from edgekit.parity.sampled_readings import SAMPLED, sampled_reading
from edgekit.parity.statistics.estimate import Estimate, exact
from edgekit.specs.profile import Bound
from edgekit.stratification import FEW

_ONE_LABEL = (
    "one answer is right for all of these samples, so that a model which learned nothing could be as good; add samples "
    "with other labels to [data] evaluation"
)
NO_LABELS = "the samples have no labels; the other gates compare the model with the reference alone"

DATA_GATES = frozenset(
    {
        *probability_readings.GATES,
        *poisoning_readings.GATES,
        *slice_readings.GATES,
        *GOVERNED,
        *FAMILY_OF_GATE,
        "adversarial_drop",
    }
)
"""Gates that hold where a project states them, and that data decide: without these they are undecided, and never passed
over."""


def read(name: str, bound: Bound, facts: GateInputs) -> Estimate | MissingValue:
    """Read the quantity that the gate `name` bounds, with its interval where the bound has a confidence."""
    comparison, confidence = facts.comparison, bound.confidence
    if name == "reference_accuracy" and comparison.always_right and comparison.chance in (bound.min, bound.max):
        score = comparison.reference.score
        return MissingValue(_ONE_LABEL, "undecided", score.value if score else None)
    if name in SAMPLED:
        looked = comparison.early_stop.confidence(confidence) if comparison.early_stop else confidence
        return sampled_reading(name, comparison, looked) or MissingValue(NO_LABELS)
    if name in accelerator_readings.GATES:
        return accelerator_readings.accelerator_reading(name, facts.accelerator, facts.device == "emulated")
    if name in probability_readings.GATES:
        return probability_readings.probability_reading(name, comparison, confidence)
    if name in poisoning_readings.GATES:
        return poisoning_readings.poisoning_reading(name, comparison.poisoning)
    if name in slice_readings.GATES:
        return slice_readings.slice_reading(name, bound, comparison.slices, comparison.metric.unit)
    if name in GOVERNED:
        return governance_reading(name, comparison.governance, confidence)
    if name in FAMILY_OF_GATE:
        return robustness_reading(name, confidence, comparison.robustness)
    match name:
        case "adversarial_drop":
            return adversarial_reading(comparison.adversarial, confidence)
        case "distinct_answers":
            return _distinct(facts)
        case "latency_p50_ms" | "latency_p90_ms" | "peak_rss_mb":
            return on_device(name, facts)
        case "instructions_ratio":
            return instructions_ratio(facts)
        case "not_slower":
            return against_float(facts)
        case _:
            return _of_artifact(name, facts)


def _of_artifact(name: str, facts: GateInputs) -> Estimate | MissingValue:
    match name:
        case "size_ratio" | "smaller":  # `smaller` is deprecated
            return exact(_compressed(facts))
        case "integer_macs_share":
            return _in_integers(facts)
        case "fallback_share" | "fallback_bytes_share" if all_fell_back(facts):
            return exact(1.0)
        case "fallback_bytes_share" if facts.fallback_bytes_share is None:
            return MissingValue("the backend does not say how many bytes operators move")
        case "fragments" if facts.fragments is None:
            return MissingValue("this runtime has no delegates between which a graph is split")
        case _:
            return exact(getattr(facts, name))


def _compressed(facts: GateInputs) -> float:
    """Ratio of sizes without what no recipe makes smaller: graph, biases, scales and names of a small model.

    A file that is no smaller than the float file is taken as it is.
    """
    if facts.weights_ratio is None or facts.size_ratio >= 1:
        return facts.size_ratio
    return min(facts.size_ratio, facts.weights_ratio)


def _in_integers(facts: GateInputs) -> Estimate | MissingValue:
    """Share of the arithmetic for which the runtime has integer kernels that these run."""
    possible = 1 - facts.float_only_macs_share
    if possible <= 0:
        reason = "the runtime has products of two activations in float only, and the model multiplies nothing else"
        return MissingValue(reason, value=facts.integer_macs_share)
    return exact(min(1.0, facts.integer_macs_share / possible))


def _distinct(facts: GateInputs) -> Estimate | MissingValue:
    comparison = facts.comparison
    fewest = fewest_answers(comparison)
    if comparison.always_right:
        return MissingValue("one answer is right for all of these samples", value=fewest)
    if fewest == 1 and comparison.samples < FEW:
        few = f"{counted(comparison.samples, 'sample')} {verb(comparison.samples, 'is', 'are')} too few"
        return MissingValue(f"{few}; {more_samples(FEW, comparison.samples, facts.available)}", "undecided", fewest)
    return exact(fewest)


def all_fell_back(facts: GateInputs) -> bool:
    """True if a device with a GPU ran the model on its CPU. A host that stands in or an emulated device has no GPU."""
    where = facts.comparison.candidate.environment
    real = facts.device == "real" and not where.host_stand_in
    return real and where.missed_provider is not None and where.provider == "cpu"
