"""Regression: errors in the unit of the targets, relative losses, agreement within a tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from edgekit.errors import DataError
from edgekit.ir.measurement import Array, Measurement
from edgekit.parity.compare import compare
from edgekit.parity.comparison import Comparison
from edgekit.parity.gate_inputs import GateInputs
from edgekit.parity.gates import GateResult, judge
from edgekit.specs.profile import Gates
from edgekit.tasks.label_arrays import unlabelled
from edgekit.tasks.regression import Regression
from tests.parity.examples import environment, measurement

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.normal(20, 5, 300)
ANSWERS = TARGETS + RANDOM.normal(0, 1, 300)


def measured(answers: Array, labels: Array) -> Measurement:
    base = measurement(np.zeros(len(labels), np.int64), np.zeros(len(labels), np.int64), environment("eager"))
    return Measurement(**{**vars(base), "outputs": {"y": answers.astype(np.float32)[:, None]}, "labels": labels})


def compared(answers: Array, labels: Array = TARGETS, task: Regression | None = None) -> Comparison:
    return compare(measured(ANSWERS, labels), measured(answers, labels), task or Regression(unit="°C"))


def judged(comparison: Comparison, **gates: object) -> dict[str, GateResult]:
    facts = GateInputs(
        comparison, size_ratio=0.3, integer_share=1, integer_macs_share=1, fallback_share=0, device="none"
    )
    return {gate.name: gate for gate in judge(Gates.model_validate(gates), facts)}


@pytest.mark.parametrize(
    ("metric", "oracle"), [("rmse", root_mean_squared_error), ("mae", mean_absolute_error), ("r2", r2_score)]
)
def test_metrics_are_scikit_learns_over_all_samples_and_any_part(metric: str, oracle: object) -> None:
    task = Regression.model_validate({"metric": metric})
    outputs = {"y": ANSWERS[:, None]}
    task.check(outputs, TARGETS)
    scores = task.score(task.answers(outputs), TARGETS)
    part = np.random.default_rng(1).integers(0, 300, 40)
    assert callable(oracle)
    assert scores.value == pytest.approx(oracle(TARGETS, ANSWERS))
    assert scores.at(part) == pytest.approx(oracle(TARGETS[part], ANSWERS[part]))


def test_unknown_targets_count_for_nothing() -> None:
    depth, target = np.array([[[1.0, 2.0]], [[3.0, 4.0]]]), np.array([[[1.5, np.nan]], [[np.nan, np.nan]]])
    task = Regression()
    task.check({"d": depth}, target)
    assert task.score(task.answers({"d": depth}), target).value == pytest.approx(0.5)
    assert task.chance(target) == 0


def test_the_loss_of_an_error_is_relative_to_the_references() -> None:
    worse = TARGETS + 1.1 * (ANSWERS - TARGETS)
    comparison = compared(worse)
    assert comparison.accuracy_drop == pytest.approx(0.1, abs=1e-5)
    drop = comparison.drop_at(0.95)
    assert drop
    assert drop.low == pytest.approx(0.1, abs=1e-4)
    gates = judged(comparison, accuracy_drop={"max": 0.05, "confidence": 0.95})
    assert gates["accuracy_drop"].outcome == "failed"
    assert "10 %" in gates["accuracy_drop"].meaning
    assert judged(compared(ANSWERS), accuracy_drop={"max": 0.05})["accuracy_drop"].outcome == "passed"


def test_a_reference_that_answers_the_mean_is_by_chance() -> None:
    knows = judged(compared(ANSWERS))["reference_accuracy"]
    assert knows.outcome == "passed"
    assert knows.max == pytest.approx(TARGETS.std())
    assert "°C" in knows.meaning
    constant = np.full_like(TARGETS, TARGETS.mean())
    guess = compare(measured(constant, TARGETS), measured(constant, TARGETS), Regression())
    assert guess.is_by_chance
    assert judged(guess)["reference_accuracy"].outcome == "failed"


def test_answers_agree_within_the_tolerance() -> None:
    task = Regression(tolerance=0.25)
    near = compared(ANSWERS + np.where(np.arange(300) < 60, 0.5, 0.1), task=task)
    assert near.agreement == pytest.approx(0.8)
    assert near.disagreements.tolist() == list(range(60))


def test_without_labels_only_the_metric_is_not_measurable() -> None:
    comparison = compared(ANSWERS, labels=unlabelled(300))
    gates = judged(comparison, accuracy_drop={"max": 0.01, "confidence": 0.95}, agreement={"min": 0.99})
    assert {name: gate.outcome for name, gate in gates.items()} == {
        "reference_accuracy": "not measurable",
        "distinct_answers": "passed",
        "accuracy_drop": "not measurable",
        "agreement": "passed",
    }
    assert "no labels" in gates["accuracy_drop"].meaning
    assert (comparison.accuracy_drop, comparison.reference.score) == (None, None)


def test_labels_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match=r"labels are \[2, 3\], output 'y' is \[2, 4\]"):
        Regression().check({"y": np.zeros((2, 4))}, np.zeros((2, 3)))
    with pytest.raises(DataError, match="not numbers"):
        Regression().collect(["a", "b"], 0)
