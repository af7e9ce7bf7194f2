from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgekit.parity.compare import compare
from edgekit.parity.comparison import Comparison
from edgekit.parity.drift import Drift, DriftSpan
from edgekit.parity.gates import GateResult
from edgekit.report.sentence import sentence
from edgekit.specs.profile import Gates
from edgekit.tasks.classification import Classification
from edgekit.tasks.metric import Metric
from tests.parity.examples import environment, measurement
from tests.report.examples import (
    COUNTED,
    ORIN,
    TARGET,
    built,
    compared,
    emulated,
    failed,
    made,
    passed,
    profile,
    stood_in,
)


def said(*outcomes: Any, **changed: Any) -> str:
    gates = [
        GateResult.model_construct(name=f"gate{i}", value=1.0, outcome=outcome, meaning="")
        for i, outcome in enumerate(outcomes)
    ]
    options = {
        "target": TARGET, "profile": profile(), "device": None, "size_ratio": 0.2866,
        "comparison": compared(60, environment("local", host_stand_in=True), runs=0), "gates": gates,
    }  # fmt: skip
    return sentence(**{**options, **changed})


def test_a_device_that_passed_is_named_with_its_time() -> None:
    assert passed().sentence == (
        "int8 on Raspberry Pi 5 answers 89.4 % of 10,000 samples right, the float model 89.6 %; "
        "the file is 0.29 times the size; one answer takes 2.5 ms; every gate passed."
    )


def test_a_failure_names_the_gates_that_failed() -> None:
    assert failed().sentence.endswith("; 2 of 6 gates failed: accuracy_drop, agreement.")


@pytest.mark.parametrize("report", [built(), stood_in()])
def test_a_host_that_stood_in_claims_neither_the_device_nor_its_time(report: Any) -> None:
    assert report.sentence.startswith("int8 for Raspberry Pi 5, run on the host in its place, answers 89.4 %")
    assert " on Raspberry Pi 5" not in report.sentence
    assert "one answer takes" not in report.sentence


def test_an_emulated_device_says_what_it_is_and_that_time_was_not_measured() -> None:
    assert emulated().sentence == (
        "int8 for Raspberry Pi 5, run on an emulated cortex-a76, answers 89.4 % of 10,000 samples right, the float "
        "model 89.6 %; the file is 0.29 times the size; one answer takes 138,398 instructions, time was not measured; "
        "every gate passed but 1 that cannot be measured here."
    )
    assert "; time was not measured; " in emulated(instructions=None).sentence
    assert "run on an emulated cortex-a76 that stands in for it, answers" in emulated(target=ORIN).sentence


def test_a_run_that_was_given_no_earlier_one_has_passed_all_the_same() -> None:
    assert emulated(gates=COUNTED).sentence.endswith("; every gate passed.")


def test_an_invalid_latency_is_not_quoted() -> None:
    report = made(compared(60, environment(), invalid="throttled"))
    assert "one answer takes" not in report.sentence


@pytest.mark.parametrize(
    ("outcomes", "end"),
    [
        ((), "no gate was set."),
        (("passed", "passed"), "every gate passed."),
        (("passed", "not measurable"), "every gate passed but 1 that cannot be measured here."),
        (("passed", "undecided"), "1 of 2 gates undecided: gate1."),
        (("failed", "undecided", "failed"), "2 of 3 gates failed: gate0, gate2."),
    ],
)
def test_it_ends_with_how_the_gates_stand(outcomes: tuple[Any, ...], end: str) -> None:
    assert said(*outcomes).endswith(f"; {end}")


def test_a_float_profile_is_not_said_to_shrink() -> None:
    text = said("passed", profile=profile(quantize=None, gates=Gates()), size_ratio=1.0)
    assert text.startswith("float32 for Raspberry Pi 5")
    assert "; the file is as large as the float file; " in text


def test_another_metric_and_another_reference_go_by_their_names() -> None:
    comparison = compared(60, environment())
    served = comparison.reference.model_copy(update={"environment": environment("serving")})
    text = said("passed", comparison=replace(comparison, metric=Metric("mean IoU"), reference=served))
    assert "reaches a mean IoU of 89.4 % on 10,000 samples, the reference 89.6 %" in text


def test_a_metric_is_named_in_words_and_a_rate_of_errors_is_better_when_less() -> None:
    text = said("passed", comparison=replace(compared(60, environment()), metric=Metric("eer", higher_is_better=False)))
    assert "reaches an equal error rate (eer) of 89.4 % on 10,000 samples" in text
    assert "the float model 89.6 % (less is better);" in text


@pytest.mark.parametrize(
    ("scores", "answers"),
    [((None, None), "answers 89.4 % of 10,000 sequences right"), ((0.9, 0.9), "% of the steps of 10,000 sequences")],
)
def test_sequences_are_counted_as_such(scores: tuple[Any, Any], answers: str) -> None:
    span = DriftSpan(first_step=1, last_step=9, sqnr_db=30.0, agreement=1.0, reference=scores[0], candidate=scores[1])
    over_time = Drift(sentence="it does not grow", steps=9, spans=(span,))
    assert answers in said("passed", comparison=replace(compared(60, environment()), drift=over_time))


LABELS = np.arange(240) % 4


def constant(candidate_too: bool = True) -> Comparison:
    """A reference that knows nothing, or a candidate alone that gives one answer."""
    one = np.zeros_like(LABELS)
    reference = measurement(one if candidate_too else LABELS, LABELS, environment("eager"))
    return compare(reference, measurement(one, LABELS), Classification())


def test_a_reference_by_chance_is_named_loudly_and_never_passed_every_gate() -> None:
    text = said("passed", "passed", comparison=constant())
    assert "; THE FLOAT MODEL IS NO BETTER THAN CHANCE: one answer to all samples reaches 25 %; " in text
    assert text.endswith("; no gate failed, and that says nothing.")
    assert said("failed", comparison=constant()).endswith("; 1 of 1 gate failed: gate0.")


def test_a_candidate_that_gives_one_answer_is_named_loudly() -> None:
    text = said("passed", comparison=constant(candidate_too=False))
    assert "; THE CANDIDATE GIVES ONE ANSWER TO ALL SAMPLES; " in text
    assert "CHANCE" not in text
    assert "every gate passed" not in text
