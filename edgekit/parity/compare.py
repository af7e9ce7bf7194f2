"""Compare two measurements of the same samples, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from pydantic import ValidationError

from edgekit.errors import DataError
from edgekit.ir.index_order import IndexOrder
from edgekit.ir.measurement import Array, Measurement
from edgekit.ir.plural import counted, verb
from edgekit.ir.record_fault import first_fault
from edgekit.ir.sqnr import sqnr_db
from edgekit.parity.calibration.paired_calibration import paired_calibration
from edgekit.parity.comparison import Comparison, FlipExample
from edgekit.parity.confusion import confusion
from edgekit.parity.drift import drift
from edgekit.parity.endpoint_record import EndpointRecord, LatencyRecord, MetricRecord, process_record
from edgekit.parity.flips import Flip, PairedOutputs, changed_samples
from edgekit.parity.latency_histogram import Histogram, side_by_side
from edgekit.parity.orders import order_db, with_ties
from edgekit.parity.paired_answers import PairedAnswers, estimate
from edgekit.parity.statistics.percentiles import percentile_ns
from edgekit.parity.token_parity import token_parity
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.secondary import finite
from edgekit.tasks.task import Task
from edgekit.tasks.task_over_time import TaskOverTime, of_sequences, steps

NO_ORDERS: Mapping[str, IndexOrder] = MappingProxyType({})
SHOWN_FLIPS = 10
"""Flipped samples that a report tells in words."""
MOST_FLIPS = 100_000
"""Flipped samples that are kept for a table."""


def compare(
    reference: Measurement,
    candidate: Measurement,
    task: Task,
    classes: Sequence[str] = (),
    orders: Mapping[str, IndexOrder] = NO_ORDERS,
) -> Comparison:
    """Compare the two sample by sample, as `task` says. classes: names of the classes, for texts.

    orders: values behind outputs that are indices, by output: another index of a tie is the same answer.

    Raises DataError if they measured other samples, have other outputs or shapes, hold NaN or infinite values, or
    cannot be scored by the task.
    """
    expected, measured = _paired(reference, candidate)
    actual = with_ties(expected, measured, orders)
    labels = reference.labels
    labelled = is_labelled(labels)
    task = of_sequences(task, reference.length, labels)
    known = labels if labelled else None
    for outputs in (expected, actual):
        task.check(outputs, known)
    answers, candidate_answers = task.answers(expected), task.answers(actual)
    paired = PairedAnswers.of(answers, candidate_answers, labels, task, reference.groups)
    scores = [_score(task.metric, one, paired.groups) for one in paired.scores] if paired.scores else [None, None]
    theirs, ours = side_by_side(reference.latency_ns, candidate.latency_ns)
    by_output = {
        name: order_db(one, measured[name], orders.get(name), _sqnr_db(one, measured[name], reference.length))
        for name, one in expected.items()
    }
    comparison = Comparison(
        metric=paired.metric,
        scores=paired.scores,
        agreements=paired.agreements,
        margin=paired.margin,
        groups=paired.groups,
        reference=_endpoint(reference, scores[0], theirs),
        candidate=_endpoint(candidate, scores[1], ours),
        sqnr_db=min(by_output.values()),
        outputs_sqnr_db=by_output,
        chance=task.chance(labels) if labelled else None,
        secondary=finite(task.secondary(answers, candidate_answers, known)),
        distinct_answers=(task.distinct(answers), task.distinct(candidate_answers)),
        drift=drift(expected, actual, labels, task) if isinstance(task, TaskOverTime) else None,
        calibration=paired_calibration(
            task.class_scores(expected, known), task.class_scores(actual, known), task.metric.name
        ),
        tokens=token_parity(answers, candidate_answers, known, task),
        confusion=confusion(task, (answers, candidate_answers), known, classes),
    )
    pairs = PairedOutputs(task, (expected, actual), (answers, candidate_answers), labels if labelled else None, classes)
    return replace(
        comparison,
        flip_examples=tuple(_example(flip) for flip in pairs.flips(paired, paired.flipped[:SHOWN_FLIPS])),
        flips=tuple(pairs.flips(paired, changed_samples(paired)[:MOST_FLIPS])),
    )


def _example(flip: Flip) -> FlipExample:
    return FlipExample(
        sample=flip.sample,
        reference=flip.reference,
        candidate=flip.candidate,
        label=flip.label,
        reference_margin=flip.reference_margin,
        candidate_margin=flip.candidate_margin,
    )


def _sqnr_db(expected: Array, actual: Array, length: Array | None) -> float:
    """Signal to quantization noise in dB, without the padding of sequences."""
    if length is None:
        return sqnr_db(expected, actual)
    return sqnr_db(steps(expected, length), steps(actual, length))


def summarize(measurement: Measurement) -> LatencyRecord:
    """Summarize latencies: count, validity and supported percentiles. No histogram: that needs two endpoints.

    Raises DataError if the processes do not add up to the latencies.
    """
    latency = measurement.latency_ns
    measured = len(latency) > 0
    known = measured or measurement.environment.kind == "emulated"
    return LatencyRecord(
        count=len(latency),
        valid=measurement.validity.valid and measured,
        reason=measurement.validity.reason if known else "latency was not measured",
        p50_ns=percentile_ns(latency, 50),
        p90_ns=percentile_ns(latency, 90),
        p95_ns=percentile_ns(latency, 95),
        p99_ns=percentile_ns(latency, 99),
        p999_ns=percentile_ns(latency, 99.9),
        between_runs=_spread([median for median in _medians_ns(measurement) if median is not None]),
    )


def _medians_ns(measurement: Measurement) -> tuple[int | None, ...]:
    """Median latency of each process; None for one that timed nothing."""
    counts = [process.count for process in measurement.processes]
    if counts and sum(counts) != len(measurement.latency_ns):
        raise DataError(
            f"the processes timed {counted(sum(counts), 'inference')}, {len(measurement.latency_ns)} came back"
        )
    parts = np.split(measurement.latency_ns, np.cumsum(counts)[:-1]) if counts else []
    return tuple(percentile_ns(part, 50) for part in parts)


def _spread(medians_ns: Sequence[int]) -> float | None:
    """The largest median minus the smallest, over the median of all; None for fewer than two."""
    if len(medians_ns) < 2:
        return None
    return (max(medians_ns) - min(medians_ns)) / max(float(np.median(medians_ns)), 1.0)


def _score(metric: Metric, scores: Scores, groups: Array | None) -> MetricRecord:
    """The metric with its 95 % interval."""
    interval = estimate(metric, scores, 0.975, groups)
    return MetricRecord(
        name=metric.name,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
    )


def _endpoint(measurement: Measurement, score: MetricRecord | None, histogram: Histogram | None) -> EndpointRecord:
    """Summary of one endpoint. Raises DataError if it says a number that cannot be."""
    latency, processes = summarize(measurement), map(process_record, measurement.processes, _medians_ns(measurement))
    try:
        return EndpointRecord(
            kind=measurement.environment.kind,
            score=score,
            samples=len(measurement),
            samples_per_s=measurement.samples_per_s,
            load_ns=measurement.load_ns,
            first_ns=measurement.first_ns,
            latency=latency.model_copy(update={"histogram": histogram}),
            processes=tuple(processes) or None,
            around=measurement.around,
            peak_rss_bytes=measurement.peak_rss_bytes,
            model_rss_bytes=measurement.model_rss_bytes,
            energy=measurement.energy,
            server=measurement.server,
            instructions=measurement.instructions,
            environment=measurement.environment,
        )
    except ValidationError as error:
        raise DataError(f"a measurement has a bad {first_fault(error)}") from error


def _paired(reference: Measurement, candidate: Measurement) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    """Outputs of both, in the reference's order. Raises DataError if they cannot be paired."""
    if reference.samples_digest != candidate.samples_digest:
        raise DataError(
            f"reference and candidate measured other samples: {reference.samples_digest[:12]} with {len(reference)}, "
            f"{candidate.samples_digest[:12]} with {len(candidate)}",
            hint="probe both with the same data and the same --samples",
        )
    if len(reference) == 0:
        raise DataError("reference and candidate measured no samples")
    if (reference.length is None) != (candidate.length is None):
        raise DataError("one of reference and candidate measured sequences, the other single samples")
    expected, actual = reference.outputs, candidate.outputs
    if not expected or expected.keys() != actual.keys():
        raise DataError(f"the reference has outputs {sorted(expected)}, the candidate {sorted(actual)}")
    for name in expected:
        if expected[name].shape != actual[name].shape:
            raise DataError(
                f"output '{name}' is {list(expected[name].shape)} in the reference, {list(actual[name].shape)} in the "
                "candidate"
            )
        check_values(expected[name], len(reference), f"output '{name}' of the reference")
        check_values(actual[name], len(reference), f"output '{name}' of the candidate")
    return expected, {name: actual[name] for name in expected}


def check_values(output: Array, count: int, where: str) -> None:
    """Raise DataError if `output`, called `where`, has not one row for each of `count` samples, or is not finite."""
    if output.shape[:1] != (count,):
        raise DataError(
            f"{where} has shape {list(output.shape)}, {counted(count, 'sample')} {verb(count, 'was', 'were')} measured"
        )
    if output.dtype.kind != "f":
        return
    broken = ~np.isfinite(output.reshape(count, -1)).all(axis=1)
    if broken.any():
        raise DataError(
            f"{where} holds NaN or infinite values in {broken.sum()} of {counted(count, 'sample')}, first in "
            f"{broken.argmax()}",
            hint="a verdict on them would mean nothing; look at the model's inputs and its calibration set",
        )
