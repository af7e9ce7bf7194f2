"""Read the quantity that a gate bounds off a comparison, or the reason why it has no value that may be judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from edgekit.ir.record import Record
from edgekit.parity.accelerator_readings import AcceleratorTrial, accelerator_value
from edgekit.parity.adversarial_readings import adversarial_value
from edgekit.parity.chance import fewest_answers
from edgekit.parity.comparison import Comparison
from edgekit.parity.data.gate_readings import governance_reading
from edgekit.parity.endpoint_record import LatencyRecord
from edgekit.parity.more_samples import more_samples
from edgekit.parity.poisoning_readings import poisoning_value
from edgekit.parity.probability_readings import GATES as PROBABILITY_GATES
from edgekit.parity.probability_readings import probability_reading
from edgekit.parity.robustness.readings import robustness_value
from edgekit.parity.sampled_readings import SAMPLED, sampled_reading
from edgekit.parity.slice_readings import slice_value
from edgekit.parity.statistics.estimate import Estimate
from edgekit.parity.statistics.percentiles import needed_count
from edgekit.parity.unmeasured import Unmeasured
from edgekit.specs.profile import Bound
from edgekit.stratification import FEW

Device = Literal["none", "emulated", "real"]
"""Kind of the probed device: none (a build), an emulated device, or a real one, which can be timed."""
NO_LABELS = "the samples have no labels; the other gates compare the model with the reference alone"
_PROBE_IT = "edgekit run --device URL"
_EMULATE_IT = "edgekit run --device emulated"


@dataclass(frozen=True)
class Baseline:
    """Instructions of an earlier run of the same target, backend and profile."""

    instructions: int | None
    reason: str | None = None
    """Reason why it has no instructions."""


class FloatRecord(Record):
    """The float file of the same backend on the same device."""

    latency: LatencyRecord = Field(alias="latency_ns")
    instructions: int | None = Field(None, ge=1)


@dataclass(frozen=True)
class GateInputs:
    """Everything that a gate can be judged by. Shares are in [0, 1]."""

    comparison: Comparison
    size_ratio: float
    integer_share: float
    integer_macs_share: float
    fallback_share: float
    device: Device
    baseline: Baseline | None = None
    """Earlier run to compare instructions with; None without one."""
    float_file: FloatRecord | None = None
    """The float file on the same device; None where it was not run there."""
    fallback_bytes_share: float | None = None
    """Share of the bytes that reference kernels move; None where bytes were not counted."""
    fragments: int | None = None
    """Delegate calls and kernels outside of them; None for a runtime without delegates."""
    weights_ratio: float | None = None
    """Bytes of the weights over those of the float file's weights; None where they are unknown."""
    float_only_macs_share: float = 0.0
    """Share of the multiply-accumulates for which the runtime has no integer kernel."""
    accelerator: AcceleratorTrial | None = None
    """Choice of the device between its CPU, GPU and NPU; None where none was made."""
    available: int | None = None
    """Samples of the evaluation set; None where it is not known."""
    group: str = ""
    """Name that the project gives to the groups of samples; empty where they have none."""
    quantized: bool = True
    """True if any number of the model has fewer bits than the float model's."""


@dataclass(frozen=True)
class NoReading:
    """Reason why a quantity has no value that may be judged. `value` is shown, and not compared with the bound."""

    outcome: Literal["undecided", "not measurable"]
    reason: str
    value: float | None = None


def read(name: str, bound: Bound, facts: GateInputs) -> Estimate | NoReading:
    """Read the quantity that the gate `name` bounds, with its interval where the bound has a confidence."""
    comparison, confidence = facts.comparison, bound.confidence
    if name in SAMPLED:
        looked = comparison.early_stop.confidence(confidence) if comparison.early_stop else confidence
        return sampled_reading(name, comparison, looked) or NoReading("not measurable", NO_LABELS)
    match name:
        case "distinct_answers":
            return _distinct(facts)
        case "latency_p50_ms" | "latency_p90_ms" | "peak_rss_mb":
            return _on_device(name, facts)
        case "instructions_ratio":
            return _instructions(facts)
        case "not_slower":
            return _against_float(facts)
        case "size_ratio" | "smaller":  # `smaller` is deprecated
            return _exact(_compressed(facts))
        case "accelerated_share" | "accelerator_not_slower" | "accelerator_agreement":
            value = accelerator_value(name, facts.accelerator, facts.device == "emulated")
            return NoReading("not measurable", value) if isinstance(value, str) else _exact(value)
        case "adversarial_drop":
            reading = adversarial_value(comparison.adversarial, confidence)
            return NoReading("not measurable", reading) if isinstance(reading, str) else reading
        case "poisoned_share" | "backdoor":
            value = poisoning_value(name, comparison.poisoning)
            return NoReading("not measurable", value) if isinstance(value, str) else _exact(value)
        case _ if name in PROBABILITY_GATES:
            sure = probability_reading(name, comparison, confidence)
            return NoReading(sure.outcome, sure.reason) if isinstance(sure, Unmeasured) else sure
        case "calibration_overlap" | "training_overlap" | "licences" | "mislabelled_share":
            known = governance_reading(name, comparison.governance, confidence)
            return NoReading("not measurable", known) if isinstance(known, str) else known
        case "worst_slice_drop" | "worst_class_drop" | "fairness_gap":
            sliced = slice_value(name, bound, comparison.slices, comparison.metric.unit)
            return NoReading(*sliced) if isinstance(sliced, tuple) else sliced
        case "robustness_drop" | "systematic_drop" | "stability_drop":
            reading = robustness_value(name, confidence, comparison.robustness)
            return NoReading("not measurable", reading) if isinstance(reading, str) else reading
        case "integer_macs_share":
            return _in_integers(facts)
        case "fallback_share" | "fallback_bytes_share" if all_fell_back(facts):
            return _exact(1.0)
        case "fallback_bytes_share" if facts.fallback_bytes_share is None:
            return NoReading("not measurable", "the backend does not say how many bytes operators move")
        case "fragments" if facts.fragments is None:
            return NoReading("not measurable", "this runtime has no delegates between which a graph is split")
        case _:
            return _exact(getattr(facts, name))


def _compressed(facts: GateInputs) -> float:
    """Ratio of sizes without what no recipe makes smaller: graph, biases, scales and names of a small model.

    A file that is no smaller than the float file is taken as it is.
    """
    if facts.weights_ratio is None or facts.size_ratio >= 1:
        return facts.size_ratio
    return min(facts.size_ratio, facts.weights_ratio)


def _in_integers(facts: GateInputs) -> Estimate | NoReading:
    """Share of the arithmetic for which the runtime has integer kernels that these run."""
    possible = 1 - facts.float_only_macs_share
    if possible <= 0:
        reason = "the runtime has products of two activations in float only, and the model multiplies nothing else"
        return NoReading("not measurable", reason, facts.integer_macs_share)
    return _exact(min(1.0, facts.integer_macs_share / possible))


def _distinct(facts: GateInputs) -> Estimate | NoReading:
    comparison = facts.comparison
    fewest = fewest_answers(comparison)
    if comparison.always_right:
        return NoReading("not measurable", "one answer is right for all of these samples", fewest)
    if fewest == 1 and comparison.samples < FEW:
        few = f"{comparison.samples} samples are too few"
        return NoReading("undecided", f"{few}; {more_samples(FEW, comparison.samples, facts.available)}", fewest)
    return _exact(fewest)


def all_fell_back(facts: GateInputs) -> bool:
    """True if a device with a GPU ran the model on its CPU. A host that stands in or an emulated device has no GPU."""
    where = facts.comparison.candidate.environment
    real = facts.device == "real" and not where.host_stand_in
    return real and where.missed_provider is not None and where.provider == "cpu"


def _exact(value: float) -> Estimate:
    return Estimate(value, value, value)


def _on_device(name: str, facts: GateInputs) -> Estimate | NoReading:
    candidate = facts.comparison.candidate
    if facts.device == "none":
        return NoReading("undecided", f"no device was probed; {_PROBE_IT} decides it")
    if facts.device == "emulated" and name != "peak_rss_mb":
        return NoReading("not measurable", f"an emulated device has no time of its own; {_PROBE_IT} of a board tells")
    if candidate.environment.host_stand_in:
        reason = f"the host stood in for the target, and says nothing of its time or memory; {_PROBE_IT} on the target"
        return NoReading("undecided", reason)
    if name != "peak_rss_mb":
        return _latency(50 if name == "latency_p50_ms" else 90, candidate.latency)
    if candidate.peak_rss_bytes is None:
        return NoReading("not measurable", "the device does not say how much memory a process used")
    return _exact(candidate.peak_rss_bytes / 1e6)


def _instructions(facts: GateInputs) -> Estimate | NoReading:
    """Ratio of instructions to the baseline's: not measurable without a baseline, undecided if that has no count."""
    counted, baseline = facts.comparison.candidate.instructions, facts.baseline
    if counted is None:
        return NoReading("not measurable", f"only an emulated device counts instructions; {_EMULATE_IT}")
    if baseline is None:
        reason = f"{counted:,} instructions were counted, and there is no earlier run to compare with; keep this one's "
        return NoReading("not measurable", f"{reason}report, and give it to the next: --baseline REPORT")
    if not baseline.instructions:
        return NoReading("undecided", f"the baseline {baseline.reason or 'counted no instructions'}; {_EMULATE_IT}")
    return _exact(counted / baseline.instructions)


def _against_float(facts: GateInputs) -> Estimate | NoReading:
    """Ratio to the float file: of instructions where they are counted, else of the median latencies."""
    candidate, float_file = facts.comparison.candidate, facts.float_file
    if facts.device == "none":
        return NoReading("not measurable", f"no device was probed; {_PROBE_IT} tells")
    if candidate.environment.host_stand_in:
        return NoReading(
            "not measurable", f"the host stood in for the target; {_PROBE_IT} on the target, or an emulated one"
        )
    if float_file is None:
        return NoReading("not measurable", "the model is the float model")
    if facts.device == "emulated":
        if not candidate.instructions or not float_file.instructions:
            return NoReading("not measurable", "this device counts no instructions")
        return _exact(candidate.instructions / float_file.instructions)
    ours, theirs = (_latency(50, latency) for latency in (candidate.latency, float_file.latency))
    if isinstance(ours, NoReading):
        return replace(ours, value=None)  # its value is milliseconds, not a ratio
    if isinstance(theirs, NoReading):
        return replace(theirs, value=None)
    return _exact(ours.value / theirs.value)


def _latency(percent: int, latency: LatencyRecord) -> Estimate | NoReading:
    value_ns = latency.p50_ns if percent == 50 else latency.p90_ns
    value_ms = None if value_ns is None else value_ns / 1e6
    if not latency.valid:
        return NoReading("undecided", f"the latency is not valid: {latency.reason or 'no reason was given'}", value_ms)
    if value_ms is None:
        needed = needed_count(percent)
        reason = f"{latency.count} answers were timed, {needed} are needed; --set profile.probe.min_count={needed}"
        return NoReading("undecided", reason)
    return _exact(value_ms)
