"""Precision of a probe: as few samples as tell the metric, with an interval that holds over all looks."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.measure.shards import Shards, answer_in_shards
from edgekit.pipeline.metric_precision import PRECISION, MetricPrecision
from edgekit.pipeline.sample_order import SampleOrder
from edgekit.samples import Samples, Sampling
from edgekit.tasks.classification import Classification
from edgekit.tasks.label_arrays import unlabelled
from tests.parity.examples import logits, measurement

COUNT = 8000


def asked(precision: MetricPrecision, outputs: Array) -> Array:
    """Outputs of a device that answers in the order in which it is asked, as far as it is."""
    given, _ = answer_in_shards(
        precision.order.samples, lambda part: {"output": outputs[part.inputs["x"]]}, Shards(looks=precision.looks)
    )
    return given["output"]


def test_a_device_is_asked_until_its_metric_is_known_to_within_two_points() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(COUNT) % 10
    answers = np.where(rng.random(COUNT) < 0.9, labels, (labels + 1) % 10)
    samples = Samples({"x": np.arange(COUNT)}, labels, sampling=Sampling(COUNT, 9000, True))
    precision = MetricPrecision(SampleOrder(samples), Classification())
    given = asked(precision, logits(answers))
    assert len(given) < COUNT / 3
    measured = measurement(answers, labels).take(precision.order.samples.inputs["x"][: len(given)], "")
    measured, part, stop, score = precision.of_answered(measured)
    assert (np.diff(part.inputs["x"]) > 0).all()
    np.testing.assert_array_equal(measured.outputs["output"], logits(answers)[part.inputs["x"]])
    assert measured.samples_digest == part.digest
    assert part.sampling == Sampling(len(given), 9000, True)
    assert (stop.asked, stop.of) == (len(given), COUNT)
    assert "within 2 points, at 95 % over all looks" in stop.reason
    assert score
    assert score.metric == "top1"
    assert score.low < 0.9 < score.high
    assert (score.high - score.low) / 2 <= PRECISION


def test_without_labels_all_samples_are_asked_and_the_reason_is_said() -> None:
    samples = Samples({"x": np.arange(400)}, unlabelled(400))
    precision = MetricPrecision(SampleOrder(samples), Classification())
    outputs = logits(np.arange(400) % 10)
    assert len(asked(precision, outputs)) == 400
    order = precision.order.samples.inputs["x"]
    measured = measurement(np.arange(400) % 10, unlabelled(400)).take(order, "")
    _, _, stop, score = precision.of_answered(measured)
    assert score is None
    assert "no share of right answers" in stop.reason


def test_intervals_of_stopped_probes_hold_at_least_as_often_as_they_say() -> None:
    rng, trials, missed = np.random.default_rng(1), 200, 0
    labels = np.zeros(2000, np.int64)
    for _ in range(trials):
        answers = np.where(rng.random(2000) < 0.97, 0, 1)
        order = SampleOrder(Samples({"x": np.arange(2000)}, labels))
        precision = MetricPrecision(order, Classification())
        in_order = answers[order.indices]
        counts, given = precision.looks.counts, logits(in_order)
        count = next(n for n in counts if n == 2000 or precision.looks.enough({"output": given[:n]}))
        score = precision.of_answered(measurement(in_order[:count], labels[:count]))[3]
        assert score
        missed += not score.low <= 0.97 <= score.high
    assert missed / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
