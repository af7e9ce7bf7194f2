"""A verdict stands on a reference that knows something: better than one answer to all, and never just one answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from edgekit.ir.measurement import Array
from edgekit.parity.compare import compare
from edgekit.parity.comparison import Comparison
from edgekit.parity.gate_inputs import GateInputs
from edgekit.parity.gates import GateResult, judge, verdict
from edgekit.specs.profile import Gates
from edgekit.tasks.classification import Classification
from edgekit.tasks.sample_metric import ScoredBySample
from edgekit.tasks.task import Outputs
from tests.parity.examples import environment, measurement


def compared(answers: Array, labels: Array, candidate: Array | None = None, task: Any = None) -> Comparison:
    """A reference that says `answers`, and a candidate that says the same or something else."""
    reference = measurement(answers, labels, environment("eager"))
    return compare(
        reference, measurement(answers if candidate is None else candidate, labels), task or Classification()
    )


def judged(comparison: Comparison, **gates: Any) -> dict[str, GateResult]:
    facts = GateInputs(
        comparison, size_ratio=0.3, integer_share=1, integer_macs_share=1, fallback_share=0, device="none"
    )
    return {gate.name: gate for gate in judge(Gates.model_validate(gates), facts)}


def right(share: float, labels: Array) -> Array:
    """Answers of which that share is right, spread over all labels."""
    wrong = np.arange(len(labels)) % 100 >= round(100 * share)
    return np.where(wrong, (labels + 1) % 4, labels)


FOUR = np.arange(240) % 4
"""Labels of four classes, as many of each."""
RARE = (np.arange(1000) % 100 < 5).astype(np.int64)
"""Labels of two classes; one in twenty is of the rare one."""


def test_a_reference_that_knows_something_passes() -> None:
    gate = judged(compared(right(0.9, FOUR), FOUR))["reference_accuracy"]
    assert (gate.outcome, gate.min) == ("passed", 0.25)
    assert "on 240 samples, where one constant answer reaches as much as the limit" in gate.meaning


@pytest.mark.parametrize(
    "answers",
    [(FOUR + np.arange(240) // 4) % 4, np.zeros_like(FOUR), (FOUR + 1) % 4],
    ids=["guesses", "one answer", "all wrong"],
)
def test_a_reference_by_chance_never_passes_however_well_the_candidate_follows_it(answers: Array) -> None:
    gates = judged(compared(answers, FOUR), accuracy_drop={"max": 0.01}, agreement={"min": 0.99})
    assert gates["accuracy_drop"].outcome == gates["agreement"].outcome == "passed"
    assert gates["reference_accuracy"].outcome == verdict(gates.values()) == "failed"
    assert "see that the factory loads the trained weights" in gates["reference_accuracy"].meaning


def test_a_reference_that_is_hardly_better_than_chance_is_undecided() -> None:
    labels = FOUR[:200]
    gate = judged(compared(right(0.3, labels), labels))["reference_accuracy"]
    assert gate.outcome == "undecided"
    assert "200 samples cannot settle it; about " in gate.meaning


def test_chance_is_the_most_frequent_label_not_one_in_so_many_classes() -> None:
    always = np.zeros_like(RARE)
    gate = judged(compared(always, RARE))["reference_accuracy"]
    assert (gate.outcome, gate.value, gate.min) == ("failed", 0.95, 0.95)
    assert judged(compared(RARE, RARE))["reference_accuracy"].outcome == "passed"


def test_a_profile_may_state_the_limit_itself() -> None:
    noise = compared(right(0.9, FOUR), FOUR)
    assert judged(noise, reference_accuracy={"min": 0.95})["reference_accuracy"].outcome == "failed"
    assert judged(noise, reference_accuracy={"min": 0.85})["reference_accuracy"].outcome == "passed"
    sure = judged(noise, reference_accuracy={"min": 0.88, "confidence": 0.99})["reference_accuracy"]
    assert sure.outcome == "undecided"


@pytest.mark.parametrize("count", [1, 4, 31])
def test_a_few_samples_settle_nothing_against_a_model(count: int) -> None:
    labels = np.arange(count) % 4
    gates = judged(compared(np.zeros_like(labels), labels))
    assert {gate.outcome for gate in gates.values()} <= {"undecided", "not measurable"}


def test_samples_of_one_class_say_nothing() -> None:
    same = np.full(100, 2)
    gates = judged(compared(same, same))
    for wrong in (0, 9):
        gate = judged(compared(np.where(np.arange(100) < wrong, 1, same), same))["reference_accuracy"]
        assert (gate.outcome, gate.value) == ("undecided", 1 - wrong / 100)
        assert "It is undecided: one answer is right for all of these samples" in gate.meaning
        assert gate.meaning.endswith("add samples with other labels to [data] evaluation.")
    assert gates["distinct_answers"].outcome == "not measurable"


@pytest.mark.parametrize("constant", ["reference", "candidate"])
def test_an_endpoint_that_gives_one_answer_to_all_fails(constant: str) -> None:
    one = np.full_like(FOUR, 3)
    comparison = compared(one, FOUR, FOUR) if constant == "reference" else compared(FOUR, FOUR, one)
    gate = judged(comparison)["distinct_answers"]
    assert (gate.outcome, gate.value, gate.min) == ("failed", 1, 2)
    assert judged(comparison, distinct_answers={"min": 1})["distinct_answers"].outcome == "passed"


class Silent:
    """A metric of a plug-in that does not say what chance is."""

    name: ClassVar[str] = "silent"

    def check(self, outputs: Outputs, labels: Array) -> None:
        pass

    def scores(self, outputs: Outputs, labels: Array) -> Array:
        return np.ones(len(labels))

    def answers(self, outputs: Outputs) -> Array:
        return np.asarray(np.argmax(outputs["output"], axis=1))


def test_a_metric_that_tells_no_chance_leaves_it_open_and_says_what_to_write() -> None:
    gates = judged(compared(FOUR, FOUR, task=ScoredBySample(Silent())))
    gate = gates["reference_accuracy"]
    assert (gate.outcome, gate.min) == ("not measurable", None)
    assert "[gates] reference_accuracy = { min = … }" in gate.meaning
    assert next(iter(gates)) == "reference_accuracy"
    named = judged(compared(FOUR, FOUR, task=ScoredBySample(Silent())), reference_accuracy={"min": 0.5})
    assert named["reference_accuracy"].outcome == "passed"


def test_the_interval_of_the_reference_is_wilsons_one_sided() -> None:
    comparison = compared(right(0.9, FOUR), FOUR)
    estimate = comparison.reference_at(0.99)
    assert estimate is not None
    z, n, p = 2.3263478740408408, 240, estimate.value
    centre, half = (p + z * z / (2 * n)) / (1 + z * z / n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert estimate.low == pytest.approx(centre - half / (1 + z * z / n))
    assert replace(comparison, chance=None).is_by_chance is False
