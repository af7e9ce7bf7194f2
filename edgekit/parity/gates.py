"""Judge the gates of a profile by a comparison. A missed gate is a result, never an exception."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator

from edgekit.ir.record import Record
from edgekit.parity.chance import bounds, is_by_chance
from edgekit.parity.comparison import Comparison
from edgekit.parity.gate_readings import NO_LABELS, GateInputs, NoReading, all_fell_back, read
from edgekit.parity.gate_texts import QUANTITIES, quantity_of
from edgekit.parity.robustness.readings import WorstEstimate
from edgekit.parity.statistics import Estimate
from edgekit.specs.profile import Bound, Gates

Outcome = Literal["passed", "failed", "undecided", "not measurable"]
Verdict = Literal["passed", "failed", "undecided"]
_SAMPLED = ("reference_accuracy", "accuracy_drop", "agreement")
"""Gates on quantities that are estimated from samples."""


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
    worst: str | None = None
    """The one of several that decides, such as a corruption; left out where there is one alone."""


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
        meaning = f"{quantity.title}: unknown. It is not measurable here: {NO_LABELS}."
        return GateResult(name="reference_accuracy", value=None, outcome="not measurable", meaning=meaning)
    limit = "min" if comparison.metric.higher_is_better else "max"
    meaning = (
        f"{quantity.title}: {quantity.show(score.value)}. It is not measurable here: '{comparison.metric.name}' does "
        f"not say what a constant answer reaches; give a limit: [gates] reference_accuracy = {{ {limit} = … }}."
    )
    return GateResult(name="reference_accuracy", value=score.value, outcome="not measurable", meaning=meaning)


def _judge(name: str, bound: Bound, facts: GateInputs) -> GateResult:
    quantity, reading = quantity_of(name, facts.comparison.metric.unit), read(name, bound, facts)
    limit = f"it should be {quantity.limit(bound.min, bound.max)}"
    if isinstance(reading, NoReading):
        shown = "unknown" if reading.value is None else quantity.show(reading.value)
        here = " here" if reading.outcome == "not measurable" else ""
        meaning = f"{quantity.title}: {shown}; {limit}. It is {reading.outcome}{here}: {reading.reason}."
        return _result(name, reading.value, bound, reading.outcome, meaning)
    by_chance = name == "reference_accuracy" and is_by_chance(bound, facts.comparison)
    outcome = "failed" if by_chance else _decide(reading, bound)
    meaning = f"{quantity.title}: {quantity.show(reading.value)}{_certainty(name, reading, bound, facts)}; {limit}."
    if outcome == "undecided":
        meaning += f" {_count(reading, facts):,} samples cannot settle it; measure more: {_more(reading)}."
    if outcome == "failed":
        remedy = quantity.remedy if facts.quantized else quantity.float_remedy or quantity.remedy
        meaning += f" Next: {remedy}."
    worst = reading.worst if isinstance(reading, WorstEstimate) else None
    return _result(name, reading.value, bound, outcome, meaning, worst)


def _result(
    name: str, value: float | None, bound: Bound, outcome: Outcome, meaning: str, worst: str | None = None
) -> GateResult:
    return GateResult(
        name=name, value=value, min=bound.min, max=bound.max, outcome=outcome, meaning=meaning, worst=worst
    )


def _count(reading: Estimate, facts: GateInputs) -> int:
    """Number of samples that a reading is of."""
    return reading.samples if isinstance(reading, WorstEstimate) else facts.comparison.samples


def _more(reading: Estimate) -> str:
    """Option by which more samples are measured."""
    return "--set profile.robustness.samples=N" if isinstance(reading, WorstEstimate) else "--samples"


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
    if name in ("fallback_share", "fallback_bytes_share") and all_fell_back(facts):
        provider = facts.comparison.candidate.environment.missed_provider
        return f" (the device ran all of it on its CPU: neither '{provider}' nor any other GPU provider works there)"
    if name in ("size_ratio", "smaller") and reading.value != facts.size_ratio:
        whole = QUANTITIES[name].show(facts.size_ratio)
        return f" by what can be compressed, the weights ({whole} with graph, biases and scales)"
    if isinstance(reading, WorstEstimate):
        return f" {reading.words}{_interval(name, reading, bound, facts)}"
    if name not in _SAMPLED:
        return ""
    on = f" on {facts.comparison.samples:,} samples"
    if (
        name == "reference_accuracy"
        and facts.comparison.chance is not None
        and facts.comparison.chance in (bound.min, bound.max)
    ):
        on += ", where one constant answer reaches as much as the limit"
    return on + _interval(name, reading, bound, facts)


def _interval(name: str, reading: Estimate, bound: Bound, facts: GateInputs) -> str:
    """Words on the interval of an estimate, where the gate has a confidence."""
    if bound.confidence is None:
        return ""
    show = quantity_of(name, facts.comparison.metric.unit).show
    return f" (between {show(reading.low)} and {show(reading.high)}, {100 * bound.confidence:g} % sure of each)"
