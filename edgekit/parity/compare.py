"""Compare two measurements of the same samples, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from edgekit.errors import DataError
from edgekit.ir.measurement import Array, Measurement
from edgekit.ir.sqnr import sqnr_db
from edgekit.parity.endpoint_record import EndpointRecord, LatencyRecord, MetricRecord, process_record
from edgekit.parity.latency_histogram import Histogram, side_by_side
from edgekit.parity.metrics import Chance, Metric
from edgekit.parity.statistics import Estimate, mcnemar_p, paired_bootstrap, percentile_ns, wilson


@dataclass(frozen=True)
class Comparison:
    """Comparison of a reference and a candidate over the same samples."""

    metric: str
    samples: int
    reference: EndpointRecord
    candidate: EndpointRecord
    differences: Array
    """float64 [N]: score of the reference minus score of the candidate, sample by sample."""
    disagreements: Array
    """int64 [K]: indices of the samples that the two answer differently."""
    sqnr_db: float
    """Signal to quantization noise of the candidate's worst output, in dB; infinite when equal."""
    chance: float | None
    """Metric of the best constant answer to these labels; None where the metric does not tell."""
    distinct_answers: tuple[int, int]
    """Number of different answers of the reference, and of the candidate."""

    def __repr__(self) -> str:
        scores = f"{self.reference.score.value:.4f} and {self.candidate.score.value:.4f}"
        return f"<Comparison of {self.samples} samples: {self.metric} {scores}, agreement {self.agreement:.4f}>"

    @property
    def is_by_chance(self) -> bool:
        """True if one constant answer does as well as the reference: then the comparison says nothing."""
        return self.chance is not None and self.reference.score.value <= self.chance < 1

    def reference_at(self, confidence: float) -> Estimate:
        """The metric of the reference between two one-sided bounds, each at `confidence`."""
        return wilson(self.reference.score.value, self.samples, 2 * confidence - 1)

    @property
    def accuracy_drop(self) -> float:
        """Metric of the reference minus metric of the candidate: 0.01 is one point, negative is a gain."""
        return float(self.differences.sum() / self.samples)

    def drop_at(self, confidence: float) -> Estimate:
        """The accuracy drop between two one-sided bounds, each at `confidence`."""
        return paired_bootstrap(self.differences, confidence)

    @property
    def agreement(self) -> float:
        """Share of the samples that the two answer alike, right or wrong."""
        return (self.samples - len(self.disagreements)) / self.samples

    def agreement_at(self, confidence: float) -> Estimate:
        """The agreement between two one-sided bounds, each at `confidence`."""
        return wilson(self.agreement, self.samples, 2 * confidence - 1)

    @property
    def flipped(self) -> Array:
        """int64 [K]: indices of the samples that one of the two does better, for classification: alone gets right."""
        return np.flatnonzero(self.differences)

    @property
    def reference_only(self) -> int:
        """Number of samples that the reference alone gets right."""
        return int((self.differences > 0).sum())

    @property
    def candidate_only(self) -> int:
        """Number of samples that the candidate alone gets right."""
        return int((self.differences < 0).sum())

    @property
    def mcnemar_p(self) -> float:
        """Two-sided p of McNemar's test: probability of flips this lopsided if neither is better."""
        return mcnemar_p(self.reference_only, self.candidate_only)


def compare(reference: Measurement, candidate: Measurement, metric: Metric) -> Comparison:
    """Compare the two sample by sample, by `metric`.

    Raises DataError if they measured other samples, have other outputs or shapes, hold NaN or infinite values, or
    cannot be scored by `metric`.
    """
    expected, actual = _paired(reference, candidate)
    labels = reference.labels
    metric.check(expected, labels)
    scores, candidate_scores = metric.scores(expected, labels), metric.scores(actual, labels)
    answers, candidate_answers = metric.answers(expected), metric.answers(actual)
    theirs, ours = side_by_side(reference.latency_ns, candidate.latency_ns)
    return Comparison(
        metric=metric.name,
        samples=len(labels),
        reference=_endpoint(reference, _score(metric, scores), theirs),
        candidate=_endpoint(candidate, _score(metric, candidate_scores), ours),
        differences=scores - candidate_scores,
        disagreements=np.flatnonzero(answers != candidate_answers),
        sqnr_db=min(sqnr_db(expected[name], actual[name]) for name in expected),
        chance=metric.chance(labels) if isinstance(metric, Chance) else None,
        distinct_answers=(len(np.unique(answers)), len(np.unique(candidate_answers))),
    )


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
        raise DataError(f"the processes timed {sum(counts)} inferences, {len(measurement.latency_ns)} came back")
    parts = np.split(measurement.latency_ns, np.cumsum(counts)[:-1]) if counts else []
    return tuple(percentile_ns(part, 50) for part in parts)


def _spread(medians_ns: Sequence[int]) -> float | None:
    """The largest median minus the smallest, over the median of all; None for fewer than two."""
    if len(medians_ns) < 2:
        return None
    return (max(medians_ns) - min(medians_ns)) / max(float(np.median(medians_ns)), 1.0)


def _score(metric: Metric, scores: Array) -> MetricRecord:
    """The mean of float [N] scores with its 95 % interval."""
    estimate = wilson(float(scores.sum() / len(scores)), len(scores))
    return MetricRecord(name=metric.name, value=estimate.value, low=estimate.low, high=estimate.high)


def _endpoint(measurement: Measurement, score: MetricRecord, histogram: Histogram | None) -> EndpointRecord:
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
        first = error.errors(include_url=False)[0]
        raise DataError(f"a measurement has a bad '{'.'.join(map(str, first['loc']))}': {first['msg']}") from error


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
        raise DataError(f"{where} has shape {list(output.shape)}, {count} samples were measured")
    if output.dtype.kind != "f":
        return
    broken = ~np.isfinite(output.reshape(count, -1)).all(axis=1)
    if broken.any():
        raise DataError(
            f"{where} holds NaN or infinite values in {broken.sum()} of {count} samples, first in {broken.argmax()}",
            hint="a verdict on them would mean nothing; look at the model's inputs and its calibration set",
        )
