"""Judgement of counts: estimates beside the truth, alarms, and what is not told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edgekit.ir.measurement import Array
from edgekit.ir.signature import TensorSpec
from edgekit.monitor.accuracy_estimate import accuracy_now
from edgekit.monitor.distances import jensen_shannon, kolmogorov_smirnov, population_stability, total_variation
from edgekit.monitor.judgement import judge
from edgekit.monitor.quiet_null import distance_bound, window_level
from edgekit.monitor.shifts import CLASSES, signal_words
from edgekit.monitor.window_sum import WindowSum
from edgekit.parity.frozen_bins import freeze_bins
from edgekit.runner.counts.bins import FrozenBins
from edgekit.specs.monitor import MonitorLimit, MonitorSpec
from tests.monitor.counted import answer_window, classified, time_window

SPEC = MonitorSpec()


def pictures(count: int, brightness: float, seed: int) -> Array:
    noise = (
        np.random.default_rng(seed).normal(brightness, 20, (count, 4, 4, 1))
        + np.arange(count)[:, None, None, None] % 50
    )
    return np.clip(noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def bins() -> FrozenBins:
    scores, labels = classified(2000, 4.0, seed=0)
    signature = (TensorSpec("image", "uint8", (1, 4, 4, 1)),)
    inputs = {"image": pictures(2000, 100, seed=0)}
    return freeze_bins("classification", "artifact", {"scores": scores}, labels, inputs, signature, {})


def test_quiet_windows_pass_and_the_estimate_is_the_truth(bins: FrozenBins) -> None:
    windows = []
    for k in range(4):
        scores, _ = classified(300, 4.0, seed=10 + k)
        windows.append(answer_window(bins, scores, [pictures(300, 100, seed=10 + k)], k + 1))
    judgement = judge(bins, windows, [time_window(np.full(200, 5.0))], SPEC)
    assert judgement.verdict == "passed", judgement.sentence
    assert judgement.accuracy
    assert judgement.accuracy.accuracy.low < judgement.accuracy.commit < judgement.accuracy.accuracy.high
    assert abs(judgement.accuracy.drop) < 0.02
    assert any("concept drift" in remark for remark in judgement.remarks)


@pytest.mark.parametrize("sure", [2.5, 2.2])
def test_answers_that_are_less_sure_are_estimated_near_the_truth_and_alarm(bins: FrozenBins, sure: float) -> None:
    scores, labels = classified(1000, sure, seed=1)
    windows = [
        answer_window(bins, scores[i : i + 250], [pictures(250, 100, seed=i)], i // 250 + 1)
        for i in range(0, 1000, 250)
    ]
    now = accuracy_now(WindowSum.of(bins, windows), 1.0)
    assert now
    truth = float((scores.argmax(axis=1) == labels).mean())
    assert now.accuracy.value == pytest.approx(truth, abs=0.03)
    assert now.accuracy.low <= truth <= now.accuracy.high
    judgement = judge(bins, windows[:2], [], SPEC)
    gate = judgement.gate("estimated_drop")
    assert gate
    assert (gate.outcome, gate.since) == ("failed", 900)
    assert judgement.sentence.startswith("ALARM by estimated_drop")


def test_since_when_is_the_first_window_that_missed(bins: FrozenBins) -> None:
    windows = []
    for k in range(6):
        scores, _ = classified(300, 4.0, seed=20 + k)
        windows.append(answer_window(bins, scores, [pictures(300, 100 if k < 3 else 160, seed=k)], k + 1))
    gate = judge(bins, windows, [], SPEC).gate("input_shift")
    assert gate
    assert (gate.outcome, gate.since) == ("failed", 900 * 4)
    assert gate.worst == "input.image.mean.0"
    assert "brightness" in gate.meaning
    # One window of three may be chance.
    only = judge(bins, windows[:4], [], SPEC).gate("input_shift")
    assert only
    assert only.outcome == "undecided"


def test_another_mix_of_classes_is_told_as_such(bins: FrozenBins) -> None:
    windows = []
    for k in range(3):
        scores, _ = classified(1200, 4.0, seed=30 + k)
        scores = scores[scores.argmax(axis=1) < 2][:300]
        windows.append(answer_window(bins, scores, [pictures(len(scores), 100, seed=k)], k + 1))
    judgement = judge(bins, windows, [], SPEC)
    assert judgement.shifts[0].signal == CLASSES
    assert judgement.shifts[0].distance == pytest.approx(0.5, abs=0.06)
    assert judgement.verdict == "failed"


def test_nothing_is_told_of_few_answers_or_of_what_is_beyond_the_estimates(bins: FrozenBins) -> None:
    scores, _ = classified(100, 4.0, seed=1)
    few = judge(bins, [answer_window(bins, scores, [pictures(100, 100, seed=1)])], [], SPEC)
    assert few.verdict == "undecided"
    assert [gate.outcome for gate in few.gates] == ["not measurable"] * 3
    assert "100 answers were counted, 250 are judged together" in few.sentence
    far, _ = classified(600, 0.05, seed=2)
    windows = [answer_window(bins, far[i : i + 300], [pictures(300, 100, seed=i)], i + 1) for i in (0, 300)]
    judgement = judge(bins, windows, [], SPEC)
    assert judgement.accuracy is None
    gate, shift = judgement.gate("estimated_drop"), judgement.gate("input_shift")
    assert gate
    assert shift
    assert (gate.value, gate.outcome, shift.outcome) == (None, "not measurable", "failed")
    without = judge(None, [], [time_window(np.full(200, 5.0))], SPEC)
    assert "holds no bins" in without.sentence


def test_a_model_that_errs_with_confidence_gets_no_number(bins: FrozenBins) -> None:
    windows = []
    for k in range(2):
        scores, _ = classified(300, 4.0, seed=40 + k)
        # All answers are one class, as sure as ever, of pictures that are others.
        collapsed = np.sort(scores, axis=1)
        windows.append(answer_window(bins, collapsed, [pictures(300, 180, seed=k)], k + 1))
    judgement = judge(bins, windows, [], SPEC)
    gate = judgement.gate("estimated_drop")
    assert gate
    assert (judgement.accuracy, gate.outcome, judgement.verdict) == (None, "not measurable", "failed")
    assert "errs with confidence" in gate.meaning


def test_times_and_errors_have_their_gates() -> None:
    spec = MonitorSpec(latency_p90_ms=MonitorLimit(max=10), error_rate=MonitorLimit(max=0.05))
    slow = np.concatenate([np.full(850, 4.0), np.full(150, 30.0)])
    outcomes = {gate.name: gate.outcome for gate in judge(None, [], [time_window(slow, failed=100)], spec).gates}
    assert (outcomes["latency_p90_ms"], outcomes["error_rate"]) == ("failed", "failed")
    quick = judge(None, [], [time_window(np.full(1000, 4.0), failed=10)], spec)
    assert {gate.outcome for gate in quick.gates[2:]} == {"passed"}
    few = judge(None, [], [time_window(np.full(50, 4.0))], spec)
    assert {gate.outcome for gate in few.gates} == {"not measurable"}


def test_rows_that_follow_each_other_alike_count_for_less(bins: FrozenBins) -> None:
    scores, _ = classified(300, 1.5, seed=3)
    alone = WindowSum.of(bins, [answer_window(bins, scores, [pictures(300, 100, seed=0)])])
    films = WindowSum.of(bins, [answer_window(bins, scores[:60].repeat(5, axis=0), [pictures(300, 100, seed=0)])])
    assert alone.alike < 1.5
    assert 4 < films.alike < 20


def test_chance_is_what_the_bootstrap_says_and_falls_with_the_rows() -> None:
    reference = np.full(20, 100)
    rng = np.random.default_rng(9)
    drawn = rng.multinomial(250, rng.multinomial(2000, reference / 2000, 3000) / 2000)
    distances = np.array([kolmogorov_smirnov(reference, counts) for counts in drawn])
    bound = distance_bound(reference, 250, 0.001, is_ordered=True)
    assert (distances > bound).mean() <= 0.002
    assert np.quantile(distances, 0.99) < bound < 0.2
    assert distance_bound(reference, 4000, 0.001, is_ordered=True) < bound / 1.5
    assert window_level(0.05, 2, 17) == pytest.approx(2 * 0.05 / (672 * 17))


def test_distances_are_those_of_the_books() -> None:
    then, now = np.array([50, 50]), np.array([80, 20])
    assert kolmogorov_smirnov(then, now) == pytest.approx(0.3)
    assert total_variation(then, now) == pytest.approx(0.3)
    assert population_stability(then, now) == pytest.approx(0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5))
    assert jensen_shannon(np.array([1, 0]), np.array([0, 1])) == pytest.approx(1.0)
    assert jensen_shannon(then, then) == population_stability(then, then) == 0


def test_signals_have_words() -> None:
    assert signal_words("input.image.sharpness.2") == "image: sharpness, channel 2"
    assert signal_words("output.y.low") == "y: least value"
    assert signal_words("confidence") == "confidence"


@pytest.mark.parametrize(
    "change",
    [
        {"rows": -1},
        {"rows": 10},
        {"above": 400},
        {"confidence": 1 << 60},
        {"pairs": 1, "changes": 2},
        {"classes": {"0": 1 << 60}},
        {"classes": {"../x": 1}},
        {"signals": {"confidence": [301]}},
        {"signals": {"confidence": [1] * 65}},
        {"bundle": "x"},
        {"seconds": float("nan")},
        {"more": 1},
    ],
)
def test_a_window_that_does_not_add_up_is_not_believed(bins: FrozenBins, change: dict[str, Any]) -> None:
    scores, _ = classified(300, 4.0, seed=1)
    with pytest.raises(ValidationError):
        answer_window(bins, scores, [pictures(300, 100, seed=1)], **change)


def test_a_window_in_other_bins_is_refused(bins: FrozenBins) -> None:
    scores, _ = classified(300, 4.0, seed=1)
    window = answer_window(bins, scores, [pictures(300, 100, seed=1)], signals={"confidence": [1, 2]})
    with pytest.raises(ValueError, match="does not fit the bins"):
        judge(bins, [window], [], SPEC)
