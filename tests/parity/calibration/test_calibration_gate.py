"""The gate on calibration: an over-confident model fails it with the same answers, sound ones at the stated rate."""

from __future__ import annotations

import numpy as np

from edgekit.parity.calibration.paired_calibration import PairedCalibration, paired_calibration
from edgekit.parity.compare import compare
from edgekit.parity.gate_inputs import GateInputs
from edgekit.parity.gates import judge
from edgekit.report.sentence import sentence
from edgekit.specs.profile import Gates, Profile
from edgekit.tasks.classification import Classification
from tests.parity.calibration.examples import measured, scores, truthful
from tests.parity.gate_examples import facts, judged
from tests.report.examples import TARGET

BOUND = {"max": 0.01, "confidence": 0.95}
GATES = Gates.model_validate({"accuracy_drop": BOUND, "agreement": {"min": 0.98}, "calibration_drop": BOUND})


def compared(count: int, times: float, noise: float = 0.0, seed: int = 1) -> GateInputs:
    logits, labels = truthful(count, seed)
    candidate = times * logits + noise * np.random.default_rng(seed).normal(size=logits.shape).astype(np.float32)
    return facts(compare(measured(logits, labels), measured(candidate, labels), Classification()))


def test_logits_times_three_pass_accuracy_and_fail_calibration() -> None:
    inputs = compared(2000, 3.0)
    results = judge(GATES, inputs)
    assert {gate.name for gate in results if gate.outcome == "failed"} == {"calibration_drop"}
    (gate,) = (gate for gate in results if gate.name == "calibration_drop")
    assert "the reference's is " in gate.meaning
    assert "on 2,000 samples" in gate.meaning
    assert "at most 1 point" in gate.meaning
    assert '[task] temperature = "fit"' in gate.meaning
    profile = Profile.model_validate({"schema": 1, "id": "p", "summary": "s", "families": ["raspberry-pi"]})
    words = sentence(TARGET, profile, None, 0.3, inputs.comparison, results)
    assert "it is over-confident, off by" in words
    assert "calibration_drop" in words


def test_sound_builds_fail_at_most_at_the_rate_of_the_confidence() -> None:
    """Against a limit of 0, 200 sound models on 300 samples each; 20 that are over-confident are all caught."""
    failed, caught = 0, 0
    for seed in range(200):
        logits, labels = truthful(300, seed)
        noisy = logits + 0.3 * np.random.default_rng(seed).normal(size=logits.shape)
        for times in (1.0, 3.0)[: 2 if seed < 20 else 1]:
            pair = paired_calibration(scores(logits, labels), scores(times * noisy, labels), "top1")
            assert isinstance(pair, PairedCalibration)
            fails = pair.drop_at(0.95).low > 0
            failed, caught = failed + (fails and times == 1), caught + (fails and times == 3)
    assert failed <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)
    assert caught == 20


def test_labels_are_needed_and_the_reason_says_so() -> None:
    logits = truthful(200)[0]
    unlabelled = np.empty((200, 0), np.int64)
    pair = compare(measured(logits, unlabelled), measured(logits, unlabelled), Classification())
    gate = judged("calibration_drop", BOUND, facts(pair))
    assert gate.outcome == "undecided"
    assert "have no labels" in gate.meaning


def test_few_samples_leave_it_undecided() -> None:
    gate = judged("calibration_drop", BOUND, compared(60, 3.0))
    assert gate.outcome == "undecided"
    assert "60 samples are too few" in gate.meaning
    assert "--samples" in gate.meaning
