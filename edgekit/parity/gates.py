"""Judge the gates of a profile by a comparison. A missed gate is a result, never an exception."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator

from edgekit.ir.plural import counted
from edgekit.ir.record import Record
from edgekit.parity.certainty import certainty, stated_confidence
from edgekit.parity.chance import bounds, is_by_chance
from edgekit.parity.comparison import Comparison
from edgekit.parity.data.gate_readings import default_gates
from edgekit.parity.gate_inputs import GateInputs
from edgekit.parity.gate_readings import DATA_GATES, NO_LABELS, read
from edgekit.parity.gate_texts import QUANTITIES, quantity_of
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.more_samples import measure_more, perturb_more
from edgekit.parity.robustness.readings import WorstEstimate
from edgekit.parity.sample_plan import advice
from edgekit.parity.statistics.equivalence import Decision, decide
from edgekit.parity.statistics.estimate import Estimate
from edgekit.specs.profile import Bound, Gates

Outcome = Literal["passed", "failed", "undecided", "not measurable"]
Verdict = Decision


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
    low: float | None = None
    """Lower bound of the value at `confidence`; left out of what is no sample of anything, or has no confidence."""
    high: float | None = None
    confidence: float | None = None
    """Confidence of each of the two bounds, one-sided."""


def judge(gates: Gates, facts: GateInputs) -> tuple[GateResult, ...]:
    """Every gate that is set, in the profile's order, after the two that hold where it names none (`chance`).

    `confidence` makes intervals of the quantities that are estimated from samples: passed or failed once the interval's
    bound is on one side of the limit, undecided until then. The others are no samples of anything, and are taken as
    they are.
    """
    governed = default_gates(facts.comparison.governance)
    judged = tuple(_judge(name, bound, facts) for name, bound in bounds(gates, facts.comparison, governed))
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
    if isinstance(reading, MissingValue):
        shown = "unknown" if reading.value is None else quantity.show(reading.value)
        # Whoever states a gate on data wants it held, and no device will ever decide it.
        missing: Outcome = "undecided" if name in DATA_GATES and not reading.vacuous else reading.outcome
        here = " here" if missing == "not measurable" else ""
        more = f"; {measure_more(facts.comparison.samples, facts.available)}" if reading.more else ""
        meaning = f"{quantity.title}: {shown}; {limit}. It is {missing}{here}: {reading.reason}{more}."
        return _result(name, reading.value, bound, missing, meaning)
    by_chance = name == "reference_accuracy" and is_by_chance(bound, facts.comparison)
    outcome: Outcome = "failed" if by_chance else decide(reading, bound.min, bound.max)
    meaning = f"{quantity.title}: {quantity.show(reading.value)}{certainty(name, reading, bound, facts)}; {limit}."
    if outcome == "undecided":
        meaning += f" {_undecided(name, bound, reading, facts)}."
    if outcome == "failed":
        remedy = quantity.remedy if facts.quantized else quantity.float_remedy or quantity.remedy
        meaning += f" Next: {remedy}."
    worst = reading.worst if isinstance(reading, WorstEstimate) else None
    result = _result(name, reading.value, bound, outcome, meaning, worst)
    confidence = stated_confidence(name, bound, facts)
    if confidence is None or reading.low == reading.high or not all(map(math.isfinite, (reading.low, reading.high))):
        return result
    return result.model_copy(update={"low": reading.low, "high": reading.high, "confidence": confidence})


def _undecided(name: str, bound: Bound, reading: Estimate, facts: GateInputs) -> str:
    if isinstance(reading, WorstEstimate):
        robustness = facts.comparison.robustness
        among = robustness.among if robustness else reading.samples
        more = perturb_more(reading.samples, among, facts.available)
        return f"{counted(reading.samples, 'sample')} cannot settle it; {more}"
    return f"{counted(facts.comparison.samples, 'sample')} cannot settle it; {advice(name, bound, reading, facts)}"


def _result(
    name: str, value: float | None, bound: Bound, outcome: Outcome, meaning: str, worst: str | None = None
) -> GateResult:
    return GateResult(
        name=name, value=value, min=bound.min, max=bound.max, outcome=outcome, meaning=meaning, worst=worst
    )
