"""Gates on robustness: planted regressions are told by their own gate while top-1 passes, sound ones are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.parity.comparison import Comparison
from edgekit.parity.robustness.condition_scores import CleanAnswers
from edgekit.parity.robustness.record import robustness_record
from edgekit.parity.robustness.robustness import Robustness
from edgekit.report.sentence import _gates
from edgekit.tasks.classification import Classification
from edgekit.tasks.label_arrays import unlabelled
from edgekit.tasks.regression import Regression
from tests.parity.examples import CLASSES, comparison, logits
from tests.parity.gate_examples import facts, judged
from tests.parity.robustness.examples import CONDITIONS, Loss, brittle, measured, trained_on_bgr

LIMIT = {"max": 0.05, "confidence": 0.95}
GATES = ("robustness_drop", "systematic_drop", "stability_drop")
REGRESSIONS: dict[str, tuple[Loss, float, str, str | None]] = {
    "brittle to blur": (brittle("defocus blur", 0.15), 0.05, "robustness_drop", "defocus blur"),
    "a resize kernel swapped": (brittle("nearest", 0.12), 0.05, "systematic_drop", "resized by nearest"),
    "trained on BGR": (trained_on_bgr, 0.2, "systematic_drop", "BGR for RGB"),
    "answers that do not stay": (brittle("a pixel", 0.12), 0.05, "stability_drop", None),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_planted_regression_is_told_by_its_own_gate_alone(name: str) -> None:
    loss, wrong, gate, worst = REGRESSIONS[name]
    inputs = facts(measured(loss, clean_wrong=wrong))
    results = {each: judged(each, LIMIT, inputs) for each in (*GATES, "accuracy_drop")}
    assert [each for each, result in results.items() if result.outcome == "failed"] == [gate]
    assert results["accuracy_drop"].outcome == "passed"
    failed = results[gate]
    assert failed.worst == worst
    assert "on 800 samples, each under" in failed.meaning
    assert "Next: " in failed.meaning
    assert f"1 of 1 gate failed: {gate}" + (f" ({worst})" if worst else "") == _gates([failed], False)


def test_a_sound_candidate_passes_every_gate() -> None:
    outcomes = [judged(gate, LIMIT, facts(measured(seed=seed))).outcome for seed in range(3) for gate in GATES]
    assert set(outcomes) == {"passed"}


def test_the_worst_of_many_fails_no_sound_candidate_more_often_than_its_confidence_allows() -> None:
    limit = {"max": 0.0, "confidence": 0.95}  # exactly what a sound candidate adds
    failed = sum(
        judged("robustness_drop", limit, facts(_natural_only(measured(seed=100 * seed)))).outcome == "failed"
        for seed in range(10)
    )
    assert failed <= 3  # more has a chance of 0.1 % at 5 %


def _natural_only(paired: Comparison) -> Comparison:
    assert paired.robustness
    kept = [each for conditions in paired.robustness.of("natural").values() for each in conditions]
    return replace(paired, robustness=replace(paired.robustness, conditions=tuple(kept)))


def test_the_loss_that_is_added_is_beside_the_references_own() -> None:
    robustness = measured(brittle("fog", 0.1)).robustness
    assert robustness
    (record,) = [one for one in robustness_record(robustness).perturbations if one.perturbation == "fog"]  # type: ignore[union-attr]
    for each in record.severities:
        assert each.reference_loss == pytest.approx(0.038 * each.severity, abs=0.03)
        assert each.added_loss == pytest.approx(0.095, abs=0.03)
    assert record.added
    mean = np.mean([each.added_loss for each in record.severities])
    assert record.added.value == pytest.approx(mean)
    assert record.added.low < record.added.value < record.added.high


def test_the_sentence_names_counts_and_what_the_model_is_sensitive_to() -> None:
    record = robustness_record(measured(brittle("letterbox", 0.2)).robustness)
    assert record
    assert record.sensitive[0] == "letterbox"
    assert "It is sensitive to 'letterbox' (" in record.sentence
    assert record.sentence.count("on 800 samples") == 3
    trained = robustness_record(measured(REGRESSIONS["trained on BGR"][0], clean_wrong=0.2).robustness)
    assert trained
    assert "IT ANSWERS BETTER WITH 'BGR FOR RGB' THAN WITHOUT" in trained.sentence


def test_a_gain_that_the_reference_has_too_is_told_and_fails_no_gate() -> None:
    trained = REGRESSIONS["trained on BGR"][0]
    paired = measured(trained, trained, clean_wrong=0.2)
    assert judged("systematic_drop", LIMIT, facts(paired)).outcome == "passed"
    record = robustness_record(paired.robustness)
    assert record
    assert "THE REFERENCE AND THE MODEL BOTH ANSWER BETTER WITH 'BGR FOR RGB' THAN WITHOUT, by 1" in record.sentence
    sound = robustness_record(measured().robustness)
    assert sound
    assert "BETTER" not in sound.sentence


def test_without_labels_agreement_is_measured_and_no_loss() -> None:
    count = 40
    given = logits(np.arange(count) % CLASSES)
    clean = CleanAnswers.of({"y": given}, {"y": given}, unlabelled(count), Classification())
    scores = tuple(clean.under(condition, {"y": given}, {"y": given}) for condition in CONDITIONS)
    robustness = Robustness(clean.task.metric, None, scores, count, count, "ab" * 32)
    inputs = facts(replace(comparison(), robustness=robustness))
    result = judged("robustness_drop", LIMIT, inputs)
    assert result.outcome == "undecided"
    assert "the samples have no labels" in result.meaning
    assert judged("stability_drop", LIMIT, inputs).value == 0
    record = robustness_record(robustness)
    assert record
    assert {each.agreement for one in record.perturbations for each in one.severities} == {1.0}


def test_a_metric_with_a_unit_has_relative_losses() -> None:
    labels = np.linspace(1, 2, 60)
    exact, shifted = {"y": labels[:, None].astype(np.float32)}, {"y": (labels[:, None] + 0.1).astype(np.float32)}
    clean = CleanAnswers.of(shifted, shifted, labels, Regression())
    double = {"y": (labels[:, None] + 0.2).astype(np.float32)}
    scores = (clean.under(CONDITIONS[0], shifted, double), clean.under(CONDITIONS[1], exact, exact))
    robustness = Robustness(clean.task.metric, clean.scores, scores, 60, 60, "ab" * 32)
    worst = robustness.worst_natural(0.9)
    assert worst
    assert robustness.added(scores[0]) == pytest.approx(1.0, rel=1e-3)
    assert worst.estimate.value == pytest.approx(0.5, rel=1e-3)


def test_a_gate_whose_samples_were_not_measured_says_so() -> None:
    result = judged("robustness_drop", LIMIT, facts())
    assert result.outcome == "undecided"
    assert "no perturbed samples were measured here" in result.meaning
