import math
from dataclasses import replace

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.ir.index_order import IndexOrder
from edgekit.ir.measurement import Array, Conditions, Measurement, Process, Validity
from edgekit.parity.compare import compare, summarize
from edgekit.tasks.classification import Classification
from edgekit.tasks.registry import task_named
from tests.parity.examples import comparison, logits, measurement, pair, timed


def test_a_comparison_is_paired_sample_by_sample() -> None:
    pairs = comparison(count=1000, reference_only=6, candidate_only=4, wrong=100)
    assert (pairs.metric.name, pairs.samples) == ("top1", 1000)
    assert [side.score.value for side in (pairs.reference, pairs.candidate) if side.score] == [0.896, 0.894]
    assert pairs.accuracy_drop == 0.002
    assert pairs.agreement == 0.99
    assert (pairs.reference_only, pairs.candidate_only) == (6, 4)
    assert pairs.flipped.tolist() == list(range(10))
    assert pairs.mcnemar_p == pytest.approx(0.7539, abs=1e-4)


def test_two_that_are_both_wrong_disagree_without_a_flip() -> None:
    labels = np.array([0, 1, 2])
    pairs = compare(
        measurement(np.array([0, 5, 2]), labels), measurement(np.array([0, 6, 2]), labels), Classification()
    )
    assert pairs.disagreements.tolist() == [1]
    assert pairs.flipped.tolist() == []
    assert pairs.agreement == 2 / 3
    assert pairs.accuracy_drop == 0.0


def test_one_point_lost_is_exactly_one_point() -> None:
    assert comparison(count=10_000, reference_only=100, candidate_only=0, wrong=1236).accuracy_drop == 0.01


def test_bounds_are_taken_at_the_confidence_asked_for() -> None:
    pairs = comparison()
    for interval_at in (pairs.drop_at, pairs.agreement_at):
        loose, strict = interval_at(0.8), interval_at(0.99)
        assert loose
        assert strict
        assert strict.low < loose.low < loose.value < loose.high < strict.high


def test_equal_outputs_have_no_noise() -> None:
    pairs = comparison(reference_only=0, candidate_only=0)
    assert pairs.sqnr_db == math.inf
    assert (pairs.agreement, pairs.mcnemar_p) == (1.0, 1.0)


def test_sqnr_is_that_of_the_worst_output() -> None:
    labels = np.array([0, 1])
    reference = replace(
        measurement(labels, labels), outputs={"output": logits(labels), "more": np.ones((2, 3), np.float32)}
    )
    candidate = replace(reference, outputs={"more": np.full((2, 3), 0.9, np.float32), "output": logits(labels)})
    assert compare(reference, candidate, Classification()).sqnr_db == pytest.approx(20, abs=1e-4)


def test_outputs_are_paired_by_name_not_by_order() -> None:
    labels = np.array([0, 1])
    reference = replace(measurement(labels, labels), outputs={"a": logits(labels), "b": logits(labels[::-1])})
    candidate = replace(reference, outputs={"b": logits(labels[::-1]), "a": logits(labels)})
    assert compare(reference, candidate, Classification()).agreement == 1.0


def test_latency_is_summarized_with_its_count() -> None:
    latency = summarize(timed(pair(4, 0, 0)[1], np.arange(1, 101) * 1000))
    assert (latency.count, latency.valid, latency.reason) == (100, True, None)
    assert latency.p50_ns == 50_500
    assert latency.p90_ns is not None
    assert latency.p99_ns is None


def test_latency_that_was_not_measured_is_not_valid() -> None:
    latency = summarize(pair(4, 0, 0)[1])
    assert (latency.count, latency.valid, latency.reason) == (0, False, "latency was not measured")
    assert latency.p50_ns is None


def test_an_invalid_latency_keeps_its_reason() -> None:
    latency = summarize(timed(pair(4, 0, 0)[1], np.array([5, 6, 7]), invalid="3 of 128 inferences"))
    assert (latency.valid, latency.reason, latency.p50_ns) == (False, "3 of 128 inferences", 6)


def broken(measurement: Measurement, output: Array) -> Measurement:
    return replace(measurement, outputs={"output": output})


def test_measurements_of_other_samples_are_refused() -> None:
    reference, candidate = pair(4, 0, 0)
    with pytest.raises(DataError, match="measured other samples: abababababab with 4, cdcdcdcdcdcd with 4") as error:
        compare(reference, replace(candidate, samples_digest="cd" * 32), Classification())
    assert error.value.hint == "probe both with the same data and the same --samples"


def test_no_samples_are_refused() -> None:
    with pytest.raises(DataError, match="measured no samples"):
        compare(*pair(0, 0, 0), Classification())


def test_other_outputs_are_refused() -> None:
    reference, candidate = pair(4, 0, 0)
    with pytest.raises(DataError, match=r"the reference has outputs \['output'\], the candidate \['logits'\]"):
        compare(reference, replace(candidate, outputs={"logits": candidate.outputs["output"]}), Classification())


def test_outputs_of_another_shape_are_refused() -> None:
    reference, candidate = pair(4, 0, 0)
    with pytest.raises(DataError, match=r"output 'output' is \[4, 10\] in the reference, \[4, 9\] in the candidate"):
        compare(reference, broken(candidate, np.zeros((4, 9), np.float32)), Classification())


def test_outputs_of_another_number_of_samples_are_refused() -> None:
    reference, candidate = pair(4, 0, 0)
    short = np.zeros((3, 10), np.float32)
    with pytest.raises(DataError, match=r"of the reference has shape \[3, 10\], 4 samples were measured"):
        compare(broken(reference, short), broken(candidate, short), Classification())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_outputs_that_are_not_finite_are_refused_and_counted(value: float) -> None:
    reference, candidate = pair(4, 0, 0)
    output = candidate.outputs["output"].copy()
    output[[1, 1, 3], [0, 5, 2]] = value
    message = "output 'output' of the candidate holds NaN or infinite values in 2 of 4 samples, first in 1"
    with pytest.raises(DataError, match=message):
        compare(reference, broken(candidate, output), Classification())


def test_labels_the_outputs_have_no_class_for_are_refused() -> None:
    reference, candidate = pair(4, 0, 0)
    labels = np.array([0, 1, 2, 10])
    with pytest.raises(DataError, match="label 10 of sample 3"):
        compare(replace(reference, labels=labels), replace(candidate, labels=labels), Classification())


def test_validity_alone_makes_no_latency_valid() -> None:
    assert not summarize(replace(pair(4, 0, 0)[1], validity=Validity(True))).valid


def process(count: int) -> Process:
    return Process(count, 1, 1, 16, 1, True, Conditions(), Conditions())


def test_each_percentile_is_there_once_the_count_supports_it() -> None:
    labels = np.array([0])
    supported = {
        count: summarize(timed(measurement(labels, labels), np.arange(count)))
        for count in (64, 129, 130, 661, 662, 6635, 6636)
    }
    assert [(count, latency.p95_ns is None, latency.p999_ns is None) for count, latency in supported.items()] == [
        (64, True, True), (129, True, True), (130, False, True), (661, False, True), (662, False, True),
        (6635, False, True), (6636, False, False),
    ]  # fmt: skip
    assert supported[6636].p999_ns == 6635


def test_runs_differ_by_what_their_medians_do() -> None:
    labels = np.array([0])
    one = timed(measurement(labels, labels), np.array([100, 100, 100, 110, 110, 90, 95, 90]))
    assert summarize(one).between_runs is None
    assert summarize(replace(one, processes=(process(8),))).between_runs is None
    # Medians of 100, 110 and 90.
    three = replace(one, processes=(process(3), process(2), process(3)))
    assert summarize(three).between_runs == pytest.approx(0.2)


def test_a_process_that_timed_nothing_is_no_run() -> None:
    labels = np.array([0])
    one = timed(measurement(labels, labels), np.array([100, 120]))
    assert summarize(replace(one, processes=(process(0), process(1), process(1)))).between_runs == pytest.approx(2 / 11)


def test_processes_that_do_not_add_up_are_refused() -> None:
    labels = np.array([0])
    one = timed(measurement(labels, labels), np.array([100, 120]))
    with pytest.raises(DataError, match="the processes timed 3 inferences, 2 came back"):
        summarize(replace(one, processes=(process(1), process(2))))


def test_both_sides_of_a_comparison_have_histograms_on_the_same_edges() -> None:
    reference, candidate = pair(10, 0, 0)
    pairs = compare(
        timed(reference, np.array([4000, 9000])), timed(candidate, np.array([1000, 1100])), Classification()
    )
    theirs, ours = pairs.reference.latency.histogram, pairs.candidate.latency.histogram
    assert theirs
    assert ours
    assert theirs.edges_ns == ours.edges_ns
    assert (sum(theirs.counts), sum(ours.counts)) == (2, 2)


def test_what_was_not_timed_has_no_histogram() -> None:
    pairs = comparison()
    assert pairs.reference.latency.histogram is None
    assert pairs.candidate.latency.histogram is None


def test_another_index_of_a_tie_is_the_same_answer() -> None:
    values = np.array([[0.1, 0.9, 0.9], [0.5, 0.1, 1.0]], np.float32)
    expected, actual = np.array([[1, 2, 0], [2, 0, 1]]), np.array([[2, 1, 0], [2, 1, 0]])
    labels = expected.astype(np.float64)
    reference, candidate = (replace(measurement(one, labels), outputs={"order": one}) for one in (expected, actual))
    orders = {"order": IndexOrder(values, 1, False, True)}
    task = task_named("regression")
    numbers, by_value = compare(reference, candidate, task), compare(reference, candidate, task, orders=orders)
    assert numbers.agreement == pytest.approx(1 / 3)
    assert by_value.agreement == pytest.approx(2 / 3)  # the second sample's order is wrong
    assert by_value.sqnr_db > numbers.sqnr_db
