"""Judge the gates of a profile by a comparison. A missed gate is a result, never an exception."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from edgekit.ir.record import Record
from edgekit.parity.chance import bounds, fewest_answers, is_by_chance
from edgekit.parity.comparison import Comparison
from edgekit.parity.endpoint_record import LatencyRecord
from edgekit.parity.gate_texts import QUANTITIES, quantity_of
from edgekit.parity.statistics import Estimate, needed_count
from edgekit.samples import FEW
from edgekit.specs.profile import Bound, Gates

Outcome = Literal["passed", "failed", "undecided", "not measurable"]
Verdict = Literal["passed", "failed", "undecided"]
Device = Literal["none", "emulated", "real"]
"""Kind of the probed device: none (a build), an emulated device, or a real one, which can be timed."""

_PROBE_IT = "edgekit run --device URL"
_EMULATE_IT = "edgekit run --device emulated"
_NO_LABELS = "the samples have no labels; the other gates compare the model with the reference alone"
_SAMPLED = ("reference_accuracy", "accuracy_drop", "agreement")
"""Gates on quantities that are estimated from samples."""


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
    weights_ratio: float | None = None
    """Bytes of the weights over those of the float file's weights; None where they are unknown."""
    quantized: bool = True
    """True if any number of the model has fewer bits than the float model's."""


def _known_gate(name: str) -> str:
    if name not in QUANTITIES:
        raise ValueError(f"no gate is named '{name}'")
    return name


class GateResult(Record):
    """One quantity that the profile bounds: its value, its limits, and the outcome."""

    name: Annotated[str, AfterValidator(_known_gate)]
    """Name under [gates] in the profile."""
    value: float | None
    """The measured value: shares and drops in [0, 1], times in ms, memory in MB; null where nothing was measurable."""
    min: float | None = None
    max: float | None = None
    outcome: Outcome
    meaning: str
    """A plain sentence: what it is, what was measured, what the limit is, and what to do if it is not met."""


@dataclass(frozen=True)
class _Unread:
    """Reason why a quantity has no value that may be judged. `value` is shown, and not compared with the bound."""

    outcome: Outcome
    reason: str
    value: float | None = None


def judge(gates: Gates, facts: GateInputs) -> tuple[GateResult, ...]:
    """Every gate that is set, in the profile's order, after the two that hold where it names none (`chance`).

    `confidence` makes `reference_accuracy`, `accuracy_drop` and `agreement` intervals: passed or failed once the
    interval's bound is on one side of the limit, undecided until then. The other quantities are no samples of anything,
    and are taken as they are.
    """
    judged = tuple(_judge(name, bound, facts) for name, bound in bounds(gates, facts.comparison))
    return judged if "reference_accuracy" in (gate.name for gate in judged) else (_unlimited(facts.comparison), *judged)


def verdict(results: Iterable[GateResult]) -> Verdict:
    """Failed if any gate failed, else undecided if any is, else passed."""
    outcomes = {result.outcome for result in results}
    if "failed" in outcomes:
        return "failed"
    return "undecided" if "undecided" in outcomes else "passed"


def _unlimited(comparison: Comparison) -> GateResult:
    """Result of `reference_accuracy` without labels, or by a metric that does not tell chance."""
    quantity, score = quantity_of("reference_accuracy", comparison.metric.unit), comparison.reference.score
    if score is None:
        meaning = f"{quantity.title}: unknown. It is not measurable here: {_NO_LABELS}."
        return GateResult(name="reference_accuracy", value=None, outcome="not measurable", meaning=meaning)
    limit = "min" if comparison.metric.higher_is_better else "max"
    meaning = (
        f"{quantity.title}: {quantity.show(score.value)}. It is not measurable here: '{comparison.metric.name}' does "
        f"not say what a constant answer reaches; give a limit: [gates] reference_accuracy = {{ {limit} = … }}."
    )
    return GateResult(name="reference_accuracy", value=score.value, outcome="not measurable", meaning=meaning)


def _judge(name: str, bound: Bound, facts: GateInputs) -> GateResult:
    quantity, reading = quantity_of(name, facts.comparison.metric.unit), _read(name, bound, facts)
    limit = f"it should be {quantity.limit(bound.min, bound.max)}"
    if isinstance(reading, _Unread):
        shown = "unknown" if reading.value is None else quantity.show(reading.value)
        here = " here" if reading.outcome == "not measurable" else ""
        meaning = f"{quantity.title}: {shown}; {limit}. It is {reading.outcome}{here}: {reading.reason}."
        return _result(name, reading.value, bound, reading.outcome, meaning)
    by_chance = name == "reference_accuracy" and is_by_chance(bound, facts.comparison)
    outcome = "failed" if by_chance else _decide(reading, bound)
    meaning = f"{quantity.title}: {quantity.show(reading.value)}{_certainty(name, reading, bound, facts)}; {limit}."
    if outcome == "undecided":
        meaning += f" {facts.comparison.samples:,} samples cannot settle it; measure more: --samples."
    if outcome == "failed":
        remedy = quantity.remedy if facts.quantized else quantity.float_remedy or quantity.remedy
        meaning += f" Next: {remedy}."
    return _result(name, reading.value, bound, outcome, meaning)


def _result(name: str, value: float | None, bound: Bound, outcome: Outcome, meaning: str) -> GateResult:
    return GateResult(name=name, value=value, min=bound.min, max=bound.max, outcome=outcome, meaning=meaning)


def _decide(reading: Estimate, bound: Bound) -> Outcome:
    over = bound.max is not None and reading.low > bound.max
    under = bound.min is not None and reading.high < bound.min
    if over or under:
        return "failed"
    below_max = bound.max is None or reading.high <= bound.max
    above_min = bound.min is None or reading.low >= bound.min
    return "passed" if below_max and above_min else "undecided"


def _certainty(name: str, reading: Estimate, bound: Bound, facts: GateInputs) -> str:
    """Words on the number of samples of an estimate, and on its interval."""
    if name in ("fallback_share", "fallback_bytes_share") and _all_fell_back(facts):
        provider = facts.comparison.candidate.environment.missed_provider
        return f" (the device ran all of it on its CPU: neither '{provider}' nor any other GPU provider works there)"
    if name in ("size_ratio", "smaller") and reading.value != facts.size_ratio:
        whole = QUANTITIES[name].show(facts.size_ratio)
        return f" by what can be compressed, the weights ({whole} with graph, biases and scales)"
    if name not in _SAMPLED:
        return ""
    on = f" on {facts.comparison.samples:,} samples"
    if (
        name == "reference_accuracy"
        and facts.comparison.chance is not None
        and facts.comparison.chance in (bound.min, bound.max)
    ):
        on += ", where one constant answer reaches as much as the limit"
    if bound.confidence is None:
        return on
    show = quantity_of(name, facts.comparison.metric.unit).show
    return f"{on} (between {show(reading.low)} and {show(reading.high)}, {100 * bound.confidence:g} % sure of each)"


def _read(name: str, bound: Bound, facts: GateInputs) -> Estimate | _Unread:
    comparison, confidence = facts.comparison, bound.confidence
    match name:
        case "reference_accuracy":
            score = comparison.reference.score
            return _labelled(
                comparison.reference_at(confidence) if confidence else _exact_if(score.value if score else None)
            )
        case "distinct_answers":
            return _distinct(comparison)
        case "accuracy_drop":
            return _labelled(comparison.drop_at(confidence) if confidence else _exact_if(comparison.accuracy_drop))
        case "agreement":
            return comparison.agreement_at(confidence) if confidence else _exact(comparison.agreement)
        case "latency_p50_ms" | "latency_p90_ms" | "peak_rss_mb":
            return _on_device(name, facts)
        case "instructions_ratio":
            return _instructions(facts)
        case "not_slower":
            return _against_float(facts)
        case "size_ratio" | "smaller":  # `smaller` is deprecated
            return _exact(_compressed(facts))
        case "fallback_share" | "fallback_bytes_share" if _all_fell_back(facts):
            return _exact(1.0)
        case "fallback_bytes_share" if facts.fallback_bytes_share is None:
            return _Unread("not measurable", "the backend does not say how many bytes operators move")
        case _:
            return _exact(getattr(facts, name))


def _compressed(facts: GateInputs) -> float:
    """Ratio of sizes without what no recipe makes smaller: graph, biases, scales and names of a small model.

    A file that is no smaller than the float file is taken as it is.
    """
    if facts.weights_ratio is None or facts.size_ratio >= 1:
        return facts.size_ratio
    return min(facts.size_ratio, facts.weights_ratio)


def _distinct(comparison: Comparison) -> Estimate | _Unread:
    fewest = fewest_answers(comparison)
    if comparison.always_right:
        return _Unread("not measurable", "one answer is right for all of these samples", fewest)
    if fewest == 1 and comparison.samples < FEW:
        return _Unread("undecided", f"{comparison.samples} samples are too few; measure more: --samples", fewest)
    return _exact(fewest)


def _all_fell_back(facts: GateInputs) -> bool:
    """True if a device with a GPU ran the model on its CPU. A host that stands in or an emulated device has no GPU."""
    where = facts.comparison.candidate.environment
    real = facts.device == "real" and not where.host_stand_in
    return real and where.missed_provider is not None and where.provider == "cpu"


def _labelled(reading: Estimate | None) -> Estimate | _Unread:
    return reading or _Unread("not measurable", _NO_LABELS)


def _exact_if(value: float | None) -> Estimate | None:
    return None if value is None else _exact(value)


def _exact(value: float) -> Estimate:
    return Estimate(value, value, value)


def _on_device(name: str, facts: GateInputs) -> Estimate | _Unread:
    candidate = facts.comparison.candidate
    if facts.device == "none":
        return _Unread("undecided", f"no device was probed; {_PROBE_IT} decides it")
    if facts.device == "emulated" and name != "peak_rss_mb":
        return _Unread("not measurable", f"an emulated device has no time of its own; {_PROBE_IT} of a board tells")
    if candidate.environment.host_stand_in:
        reason = f"the host stood in for the target, and says nothing of its time or memory; {_PROBE_IT} on the target"
        return _Unread("undecided", reason)
    if name != "peak_rss_mb":
        return _latency(50 if name == "latency_p50_ms" else 90, candidate.latency)
    if candidate.peak_rss_bytes is None:
        return _Unread("not measurable", "the device does not say how much memory a process used")
    return _exact(candidate.peak_rss_bytes / 1e6)


def _instructions(facts: GateInputs) -> Estimate | _Unread:
    """Ratio of instructions to the baseline's: not measurable without a baseline, undecided if that has no count."""
    counted, baseline = facts.comparison.candidate.instructions, facts.baseline
    if counted is None:
        return _Unread("not measurable", f"only an emulated device counts instructions; {_EMULATE_IT}")
    if baseline is None:
        reason = f"{counted:,} instructions were counted, and there is no earlier run to compare with; keep this one's "
        return _Unread("not measurable", f"{reason}report, and give it to the next: --baseline REPORT")
    if not baseline.instructions:
        return _Unread("undecided", f"the baseline {baseline.reason or 'counted no instructions'}; {_EMULATE_IT}")
    return _exact(counted / baseline.instructions)


def _against_float(facts: GateInputs) -> Estimate | _Unread:
    """Ratio to the float file: of instructions where they are counted, else of the median latencies."""
    candidate, float_file = facts.comparison.candidate, facts.float_file
    if facts.device == "none":
        return _Unread("not measurable", f"no device was probed; {_PROBE_IT} tells")
    if candidate.environment.host_stand_in:
        return _Unread(
            "not measurable", f"the host stood in for the target; {_PROBE_IT} on the target, or an emulated one"
        )
    if float_file is None:
        return _Unread("not measurable", "the model is the float model")
    if facts.device == "emulated":
        if not candidate.instructions or not float_file.instructions:
            return _Unread("not measurable", "this device counts no instructions")
        return _exact(candidate.instructions / float_file.instructions)
    ours, theirs = (_latency(50, latency) for latency in (candidate.latency, float_file.latency))
    if isinstance(ours, _Unread):
        return replace(ours, value=None)  # its value is milliseconds, not a ratio
    if isinstance(theirs, _Unread):
        return replace(theirs, value=None)
    return _exact(ours.value / theirs.value)


def _latency(percent: int, latency: LatencyRecord) -> Estimate | _Unread:
    value_ns = latency.p50_ns if percent == 50 else latency.p90_ns
    value_ms = None if value_ns is None else value_ns / 1e6
    if not latency.valid:
        return _Unread("undecided", f"the latency is not valid: {latency.reason or 'no reason was given'}", value_ms)
    if value_ms is None:
        needed = needed_count(percent)
        reason = f"{latency.count} answers were timed, {needed} are needed; --set profile.probe.min_count={needed}"
        return _Unread("undecided", reason)
    return _exact(value_ms)
