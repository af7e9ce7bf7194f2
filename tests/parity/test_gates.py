from dataclasses import replace
from typing import Any

import pytest

from edgekit.parity.accelerator_readings import AcceleratorTrial
from edgekit.parity.adversarial import AdversarialSensitivity
from edgekit.parity.compare import compare
from edgekit.parity.gate_inputs import Baseline, Device
from edgekit.parity.gate_texts import QUANTITIES
from edgekit.parity.gates import GateResult, judge, verdict
from edgekit.specs.catalog import Catalog
from edgekit.specs.profile import Gates
from edgekit.tasks.classification import Classification
from tests.parity.examples import comparison, environment, pair
from tests.parity.gate_examples import (
    FLOAT,
    GOVERNED,
    SCREEN,
    SLICES,
    STEADY,
    attack,
    facts,
    judged,
    on_device,
    with_probabilities,
)
from tests.parity.robustness.examples import measured

SMALLER = pytest.mark.filterwarnings("ignore:gate 'smaller' is deprecated:DeprecationWarning")


@SMALLER
def test_every_gate_of_a_profile_can_be_judged_and_put_in_words() -> None:
    assert set(QUANTITIES) == set(Gates.model_fields)
    every = Gates.model_validate({name: {"max": 1.0} for name in Gates.model_fields})
    npu = AcceleratorTrial("qnn-htp", "it is quicker", share=1.0, time_ratio=0.5, agreement=1.0)
    more = {"baseline": Baseline(138_398), "float_file": FLOAT, "accelerator": npu}
    compared = replace(
        on_device(STEADY, instructions=138_398),
        adversarial=AdversarialSensitivity(attacks=(attack(300, (4, 2)),)),
        poisoning=SCREEN,
        governance=GOVERNED,
        slices=SLICES,
        robustness=measured().robustness,
    )
    known = facts(with_probabilities(compared), device="real", **more)
    assert [result.name for result in judge(every, known)] == list(Gates.model_fields)
    assert all(result.value is not None for result in judge(every, known))


def test_a_gate_that_is_not_named_is_not_judged_but_two() -> None:
    assert [(gate.name, gate.outcome) for gate in judge(Gates(), facts())] == [
        ("reference_accuracy", "passed"),
        ("distinct_answers", "passed"),
    ]
    assert verdict(()) == "passed"


@SMALLER
@pytest.mark.parametrize(
    ("name", "bound", "changed", "outcome"),
    [
        ("size_ratio", {"max": 0.3}, {"size_ratio": 0.3}, "passed"),
        ("size_ratio", {"max": 0.3}, {"size_ratio": 0.31}, "failed"),
        ("size_ratio", {"min": 0.9, "max": 1.1}, {"size_ratio": 1.0}, "passed"),
        ("size_ratio", {"min": 0.9, "max": 1.1}, {"size_ratio": 0.5}, "failed"),
        ("smaller", {"max": 1.0}, {"size_ratio": 1.0}, "passed"),
        ("smaller", {"max": 1.0}, {"size_ratio": 1.01}, "failed"),
        ("integer_share", {"min": 0.95}, {"integer_share": 0.95}, "passed"),
        ("integer_share", {"min": 0.95}, {"integer_share": 0.0}, "failed"),
        ("integer_share", {"max": 0.0}, {"integer_share": 0.0}, "passed"),
        ("integer_macs_share", {"min": 0.95}, {"integer_macs_share": 0.96}, "passed"),
        ("integer_macs_share", {"min": 0.95}, {"integer_macs_share": 0.94}, "failed"),
        ("fallback_share", {"max": 0.02}, {"fallback_share": 0.02}, "passed"),
        ("fallback_share", {"max": 0.02}, {"fallback_share": 0.03}, "failed"),
        ("fallback_bytes_share", {"max": 0.2}, {"fallback_bytes_share": 0.2}, "passed"),
        ("fallback_bytes_share", {"max": 0.2}, {"fallback_bytes_share": 0.21}, "failed"),
        ("fragments", {"max": 8}, {"fragments": 8}, "passed"),
        ("fragments", {"max": 8}, {"fragments": 9}, "failed"),
    ],
)
def test_a_fact_of_the_artifact_is_held_against_its_limit(
    name: str, bound: dict[str, float], changed: dict[str, Any], outcome: str
) -> None:
    result = judged(name, bound, facts(**changed))
    assert result.outcome == outcome
    assert result.value == changed["size_ratio" if name == "smaller" else name]


@pytest.mark.parametrize(
    ("integers", "float_only", "outcome"), [(0.9, 0.1, "passed"), (0.8, 0.1, "failed"), (0.0, 1.0, "not measurable")]
)
def test_products_without_an_integer_kernel_do_not_count_and_excuse_no_others(
    integers: float, float_only: float, outcome: str
) -> None:
    shares = facts(integer_macs_share=integers, float_only_macs_share=float_only)
    assert judged("integer_macs_share", {"min": 0.95}, shares).outcome == outcome


@pytest.mark.parametrize(
    ("count", "reference_only", "bound", "outcome"),
    [
        (1000, 10, {"max": 0.01}, "passed"),
        (1000, 11, {"max": 0.01}, "failed"),
        (10_000, 20, {"max": 0.01, "confidence": 0.95}, "passed"),
        (10_000, 100, {"max": 0.01, "confidence": 0.95}, "undecided"),
        (10_000, 200, {"max": 0.01, "confidence": 0.95}, "failed"),
        (100, 0, {"max": 0.01, "confidence": 0.95}, "undecided"),
        (1000, 0, {"max": 0.01, "confidence": 0.95}, "passed"),
        (1000, 0, {"max": 0.01, "confidence": 0.999}, "passed"),
        (1000, 0, {"max": 0.01, "confidence": 0.9999}, "undecided"),
    ],
)
def test_accuracy_drop_with_confidence_is_decided_by_the_bound_not_the_value(
    count: int, reference_only: int, bound: dict[str, float], outcome: str
) -> None:
    paired = comparison(count, reference_only, candidate_only=0, wrong=0)
    result = judged("accuracy_drop", bound, facts(paired))
    assert result.outcome == outcome
    assert result.value == reference_only / count


@pytest.mark.parametrize(
    ("flips", "bound", "outcome"),
    [
        (20, {"min": 0.98}, "passed"),
        (21, {"min": 0.98}, "failed"),
        (20, {"min": 0.98, "confidence": 0.95}, "undecided"),
        (10, {"min": 0.98, "confidence": 0.95}, "passed"),
        (40, {"min": 0.98, "confidence": 0.95}, "failed"),
    ],
)
def test_agreement_can_be_asked_for_with_confidence(flips: int, bound: dict[str, float], outcome: str) -> None:
    paired = comparison(1000, flips, candidate_only=0, wrong=0)
    assert judged("agreement", bound, facts(paired)).outcome == outcome


@pytest.mark.parametrize(
    ("name", "bound", "outcome"),
    [
        ("latency_p50_ms", {"max": 2.0}, "passed"),
        ("latency_p50_ms", {"max": 1.9}, "failed"),
        ("latency_p90_ms", {"max": 2.0}, "passed"),
        ("latency_p90_ms", {"max": 1.9}, "failed"),
        ("peak_rss_mb", {"max": 80.0}, "passed"),
        ("peak_rss_mb", {"max": 79.0}, "failed"),
    ],
)
def test_time_and_memory_are_judged_on_a_real_device(name: str, bound: dict[str, float], outcome: str) -> None:
    assert judged(name, bound, facts(on_device(STEADY), device="real")).outcome == outcome


@pytest.mark.parametrize("name", ["latency_p50_ms", "latency_p90_ms", "peak_rss_mb"])
@pytest.mark.parametrize(
    ("device", "stand_in", "outcome", "reason"),
    [
        ("none", True, "undecided", "no device was probed; edgekit run --device URL decides it"),
        ("real", True, "undecided", "the host stood in for the target, and says nothing of its time or memory"),
    ],
)
def test_time_and_memory_of_anything_but_the_target_are_never_judged(
    name: str, device: Device, stand_in: bool, outcome: str, reason: str
) -> None:
    paired = on_device(STEADY, environment=environment(host_stand_in=stand_in))
    result = judged(name, {"max": 1e9}, facts(paired, device=device))
    assert (result.outcome, result.value) == (outcome, None)
    assert reason in result.meaning


@pytest.mark.parametrize("name", ["latency_p50_ms", "latency_p90_ms"])
def test_time_on_an_emulated_device_is_not_measurable_here(name: str) -> None:
    result = judged(name, {"max": 1e9}, facts(on_device(STEADY), device="emulated"))
    assert (result.outcome, result.value) == ("not measurable", None)
    assert "It is not measurable here: an emulated device has no time of its own; edgekit run" in result.meaning


@pytest.mark.parametrize(("most", "outcome"), [(80.0, "passed"), (79.0, "failed")])
def test_memory_on_an_emulated_device_is_the_kernels_figure_and_judged(most: float, outcome: str) -> None:
    paired = on_device(STEADY, environment=environment("emulated"))
    assert judged("peak_rss_mb", {"max": most}, facts(paired, device="emulated")).outcome == outcome


@pytest.mark.parametrize(
    ("counted", "outcome", "value"),
    [(100_000, "passed", 1.0), (102_000, "passed", 1.02), (102_001, "failed", 1.02001), (60_000, "passed", 0.6)],
)
def test_instructions_are_judged_against_an_earlier_run(counted: int, outcome: str, value: float) -> None:
    known = facts(on_device(STEADY, instructions=counted), device="emulated", baseline=Baseline(100_000))
    result = judged("instructions_ratio", {"max": 1.02}, known)
    assert result.outcome == outcome
    assert result.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("counted", "baseline", "outcome", "reason"),
    [
        (None, Baseline(9), "not measurable", "only an emulated device counts instructions; edgekit run --device emul"),
        (9, None, "not measurable", "9 instructions were counted, and there is no earlier run to compare with; keep"),
        (9, Baseline(None, "is of other runs"), "undecided", "the baseline is of other runs; edgekit run --device"),
    ],
)
def test_instructions_without_two_counts_are_not_judged(
    counted: int | None, baseline: Baseline | None, outcome: str, reason: str
) -> None:
    known = facts(on_device(STEADY, instructions=counted), device="emulated", baseline=baseline)
    result = judged("instructions_ratio", {"max": 1.02}, known)
    assert (result.outcome, result.value) == (outcome, None)
    assert reason in result.meaning


def test_an_invalid_latency_is_shown_and_not_judged() -> None:
    paired = on_device(STEADY, invalid="it ran for 1.2 s of 10 s")
    result = judged("latency_p50_ms", {"max": 1.0}, facts(paired, device="real"))
    assert (result.outcome, result.value) == ("undecided", 2.0)
    assert (
        "2 ms; it should be at most 1 ms. It is undecided: the latency is not valid: it ran for 1.2 s" in result.meaning
    )


def test_too_few_latencies_for_a_percentile_leave_its_gate_open() -> None:
    result = judged("latency_p90_ms", {"max": 5.0}, facts(on_device(STEADY[:63]), device="real"))
    assert (result.outcome, result.value) == ("undecided", None)
    assert "63 answers were timed, 64 are needed; --set profile.probe.min_count=64" in result.meaning


def test_a_device_that_does_not_tell_its_memory_cannot_be_judged_by_it() -> None:
    paired = on_device(STEADY, peak_rss_bytes=None)
    result = judged("peak_rss_mb", {"max": 100.0}, facts(paired, device="real"))
    assert (result.outcome, result.value) == ("not measurable", None)


def test_a_passed_gate_says_what_was_measured_and_the_limit() -> None:
    assert judged("size_ratio", {"max": 0.35}, facts()).meaning == (
        "Size of the model's file against the float model's: 0.29 times; it should be at most 0.35 times."
    )


def test_bytes_that_a_backend_does_not_count_are_not_measurable() -> None:
    result = judged("fallback_bytes_share", {"max": 0.2}, facts(fallback_bytes_share=None))
    assert (result.value, result.outcome) == (None, "not measurable")


def test_a_runtime_without_delegates_has_no_fragments() -> None:
    result = judged("fragments", {"max": 8}, facts(fragments=None))
    assert (result.value, result.outcome) == (None, "not measurable")


@pytest.mark.parametrize(
    ("size_ratio", "weights_ratio", "value", "outcome"),
    [
        (0.41, 0.25, 0.25, "passed"),  # all weights in int8, and much that does not shrink
        (0.80, 0.79, 0.79, "failed"),  # an embedding in float
        (0.30, 0.36, 0.30, "passed"),
        (1.01, 0.25, 1.01, "failed"),  # compressed, and no smaller
        (0.41, None, 0.41, "failed"),
    ],
)
def test_the_gate_on_size_judges_what_can_be_compressed(
    size_ratio: float, weights_ratio: float | None, value: float, outcome: str
) -> None:
    result = judged("size_ratio", {"max": 0.35}, facts(size_ratio=size_ratio, weights_ratio=weights_ratio))
    assert (result.value, result.outcome) == (value, outcome)
    whole = f"the weights ({size_ratio:g} times with graph, biases and scales)"
    assert (whole in result.meaning) == (value != size_ratio)


def test_a_failed_gate_says_the_next_step() -> None:
    assert judged("fallback_share", {"max": 0.02}, facts(fallback_share=0.3)).meaning == (
        "Arithmetic left to slow fallback code: 30 %; it should be at most 2 %. "
        "Next: see which operators it is: edgekit inspect BUNDLE --placement."
    )


@pytest.mark.parametrize(
    ("available", "advice"),
    [
        (None, "about 2,500 would."),
        (10_000, "about 2,500 would: --samples 2500."),
        (
            2_000,
            "about 2,500 would, and the set has 2,000: add samples to [data] evaluation; a smaller "
            "confidence under [gates] takes fewer, and is wrong more often.",
        ),
        (
            200,
            "about 2,500 would, and these are all of the set: add samples to [data] evaluation; a smaller "
            "confidence under [gates] takes fewer, and is wrong more often.",
        ),
    ],
)
def test_an_undecided_gate_says_how_many_samples_would_settle_it_and_never_more_than_there_are(
    available: int | None, advice: str
) -> None:
    paired = comparison(200, 1, candidate_only=0, wrong=0)
    bound = {"max": 0.01, "confidence": 0.95}
    meaning = judged("accuracy_drop", bound, facts(paired, available=available)).meaning
    assert meaning.startswith("Accuracy lost against the reference: 0.5 points on 200 samples (between ")
    assert "95 % sure of each); it should be at most 1 point." in meaning
    assert meaning.endswith(f"200 samples cannot settle it; {advice}")


def test_no_number_of_samples_settles_a_value_on_its_limit() -> None:
    meaning = judged("accuracy_drop", {"max": 0.01, "confidence": 0.95}, facts(comparison(200, 2, 0, 0))).meaning
    assert meaning.endswith(
        "nor would more: it is too near the limit; whether that is good enough is yours to decide, and to state under "
        "[gates]."
    )


@pytest.mark.parametrize(
    ("reference_only", "candidate_only", "outcome"),
    [(10, 10, "passed"), (60, 10, "undecided"), (300, 10, "failed"), (10, 300, "failed"), (10, 60, "undecided")],
)
def test_equivalence_passes_only_where_the_metric_neither_fell_nor_rose(
    reference_only: int, candidate_only: int, outcome: str
) -> None:
    paired = comparison(5000, reference_only, candidate_only, 100)
    result = judged("accuracy_change", {"min": -0.01, "max": 0.01, "confidence": 0.95}, facts(paired))
    assert (result.outcome, result.value) == (outcome, (candidate_only - reference_only) / 5000)
    drop = judged("accuracy_drop", {"max": 0.01, "confidence": 0.95}, facts(paired)).outcome
    assert drop == ("passed" if candidate_only > reference_only else outcome)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["passed", "passed"], "passed"),
        (["passed", "not measurable"], "passed"),
        (["passed", "undecided", "not measurable"], "undecided"),
        (["undecided", "failed", "passed"], "failed"),
    ],
)
def test_the_verdict_is_the_worst_outcome(outcomes: list[Any], expected: str) -> None:
    gates = [GateResult(name="agreement", value=1.0, outcome=outcome, meaning="") for outcome in outcomes]
    assert verdict(gates) == expected


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("agreement", 0.97996, "97.996 %"),
        ("agreement", 1.0, "100 %"),
        ("accuracy_drop", 0.01, "1 point"),
        ("accuracy_drop", -0.0009, "-0.09 points"),
        ("accuracy_drop", -1e-9, "0 points"),
        ("size_ratio", 0.28666, "0.2867 times"),
        ("latency_p50_ms", 1234.5, "1,234.5 ms"),
        ("latency_p50_ms", 0.1236, "0.124 ms"),
        ("latency_p50_ms", 0.0112345, "0.01123 ms"),
        ("peak_rss_mb", 80.0, "80 MB"),
    ],
)
def test_values_are_shown_with_their_units(name: str, value: float, shown: str) -> None:
    assert QUANTITIES[name].show(value) == shown


def test_true_asks_for_no_more_than_float() -> None:
    with pytest.warns(DeprecationWarning, match="smaller"):
        gates = Gates.model_validate({"not_slower": True, "smaller": True})
    assert [(name, bound.max) for name, bound in gates.named()] == [("smaller", 1.0), ("not_slower", 1.0)]


def test_smaller_is_deprecated_and_the_warning_says_what_to_write() -> None:
    with pytest.warns(DeprecationWarning, match=r"write size_ratio = \{ max = 0\.5 \} under \[gates\]"):
        gates = Gates.model_validate({"smaller": {"max": 0.5}})
    assert gates.deprecations == (
        "The gate 'smaller' is deprecated: write size_ratio = { max = 0.5 } under [gates], which is the same number.",
    )
    assert Gates.model_validate({"size_ratio": {"max": 0.5}, "smaller": False}).deprecations == ()


def test_no_shipped_profile_has_a_deprecated_gate() -> None:
    catalog = Catalog.default()
    assert [profile.id for profile in catalog.profiles() if profile.gates.deprecations] == []


@pytest.mark.parametrize(("quantized", "word"), [(True, "[quantize]"), (False, "nothing was quantized")])
def test_a_remedy_speaks_of_quantization_only_where_something_was_quantized(quantized: bool, word: str) -> None:
    worse = compare(*pair(100, 50, 0), Classification())
    result = judged("accuracy_drop", {"max": 0.01}, facts(worse, quantized=quantized))
    assert result.outcome == "failed"
    assert word in result.meaning
    assert quantized or "[quantize]" not in result.meaning


def test_a_gate_that_is_an_estimate_keeps_its_interval_and_another_has_none() -> None:
    bounds = {"agreement": {"min": 0.9, "confidence": 0.95}, "size_ratio": {"max": 0.5}, "accuracy_drop": {"max": 0.1}}
    results = {result.name: result for result in judge(Gates.model_validate(bounds), facts())}
    agreement = results["agreement"]
    assert agreement.low is not None
    assert agreement.high is not None
    assert agreement.value is not None
    assert agreement.low < agreement.value < agreement.high
    assert agreement.confidence == 0.95
    for name in ("size_ratio", "accuracy_drop"):
        assert (results[name].low, results[name].high, results[name].confidence) == (None, None, None)
