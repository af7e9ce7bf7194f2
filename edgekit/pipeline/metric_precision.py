"""Precision of a probe: the metric of a device's answers with its interval, and looks that end a long measurement."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgekit.ir.measurement import Measurement
from edgekit.measure.shards import AnswerLooks, Outputs
from edgekit.parity.early_stop import CONFIDENCE, EarlyStop
from edgekit.parity.paired_answers import dependent, estimate
from edgekit.parity.statistics.estimate import Estimate
from edgekit.parity.statistics.sequential import look_confidences
from edgekit.pipeline.sample_order import SampleOrder
from edgekit.samples import Samples
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.metric import SHARE
from edgekit.tasks.task import Task
from edgekit.tasks.task_over_time import of_sequences

PRECISION = 0.02
"""Half of the interval that is narrow enough: two points, as the fewest samples give that any device answers."""


@dataclass(frozen=True)
class MetricEstimate:
    """The metric of a model on the samples that it answered."""

    metric: str
    value: float
    low: float
    """Lower bound; both together hold at 95 %, over all looks."""
    high: float


@dataclass(frozen=True)
class MetricPrecision:
    """Samples that a device is asked in random order, until its metric is known to within `PRECISION` at 95 %."""

    order: SampleOrder
    task: Task

    @property
    def looks(self) -> AnswerLooks:
        """Looks at the device's answers."""
        return AnswerLooks(self.order.look_counts, self._enough)

    def of_answered(self, measured: Measurement) -> tuple[Measurement, Samples, EarlyStop, MetricEstimate | None]:
        """Measurement of the answered samples in the order of the data set, these samples, the stop, and the metric.

        The last is None without labels, and for a metric that is no mean over samples.
        """
        count = len(measured)
        by_place = np.argsort(self.order.indices[:count])
        samples = self.order.whole.take(self.order.indices[by_place])
        score = self._score(measured.outputs)
        stop = self.order.stop(count, self._reason(count, score))
        drawn = self.order.whole.sampling
        sampling = drawn and replace(drawn, taken=count)
        metric = MetricEstimate(self.task.metric.name, score.value, score.low, score.high) if score else None
        return measured.take(by_place, samples.digest), replace(samples, sampling=sampling), stop, metric

    def _enough(self, outputs: Outputs) -> bool:
        score = self._score(outputs)
        return score is not None and (score.high - score.low) / 2 <= PRECISION

    def _score(self, outputs: Outputs) -> Estimate | None:
        """Metric of the answers so far, between bounds that hold at all looks together."""
        count = len(next(iter(outputs.values())))
        part = self.order.samples.take(np.arange(count))
        if not is_labelled(part.labels):
            return None
        task = of_sequences(self.task, part.length, part.labels)
        task.check(outputs, part.labels)
        scores = task.score(task.answers(outputs), part.labels)
        if task.metric.unit != SHARE or scores.pooled is not None:
            return None
        # Two bounds, each with half of the error.
        confidences = look_confidences(self.order.look_counts, (1 + CONFIDENCE) / 2)
        confidence = confidences[self.order.look_counts.index(count)]
        return estimate(task.metric, scores, confidence, None if part.groups is None else dependent(part.groups))

    def _reason(self, count: int, score: Estimate | None) -> str:
        if score is None:
            return "there is no share of right answers, whose precision could be told early"
        if count < len(self.order.whole):
            return (
                f"they tell the metric to within {100 * PRECISION:g} points, at {100 * CONFIDENCE:g} % over all looks"
            )
        return "no look before told the metric precisely enough"
