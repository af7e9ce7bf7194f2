"""Regression and dense regression, such as depth: real targets [N, …], one or many a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Real
from edgekit.tasks.label_arrays import stacked
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.task import Answers, Outputs, TaskSpec, first_output, squeezed

TARGETS = "labels are numbers of the shape of one answer, each sample the same; NaN where a value is unknown"


class Regression(TaskSpec):
    """Task `regression`: takes the first output, float [N, …]; labels are targets of the same shape."""

    label_targets: ClassVar[bool] = True
    also: ClassVar[tuple[str, ...]] = ("rmse", "mae", "r2")
    metric_name: Literal["rmse", "mae", "r2"] = Field(default="rmse", alias="metric")
    """Root mean squared error, mean absolute error, or coefficient of determination over all values."""
    unit: str = ""
    """Unit of the targets, for reports: `m`, `°C`."""
    tolerance: Real | None = Field(default=None, gt=0)
    """Largest difference of two answers that agree, in units of the targets; by default 1 % of the reference's range
    of answers."""

    @property
    def metric(self) -> Metric:
        if self.metric_name == "r2":
            return Metric("r2", "")
        return Metric(self.metric_name, self.unit, higher_is_better=False)

    @property
    def margin(self) -> float:
        return self.tolerance or 0.0

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack targets, float64 [N, …]. Raises DataError."""
        return stacked(labels, TARGETS).astype(np.float64)

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the targets are not of the shape of the first output, up to axes of length 1."""
        name, values = first_output(outputs)
        if labels is not None and squeezed(labels.shape) != squeezed(values.shape):
            raise DataError(
                f"labels are {list(labels.shape)}, output '{name}' is {list(values.shape)}",
                hint="the first output holds the answers; labels have its shape without the batch axis",
            )

    def answers(self, outputs: Outputs) -> Array:
        """Values float64 [N, values]."""
        values = first_output(outputs)[1]
        return values.reshape(len(values), -1).astype(np.float64)

    def score(self, answers: Answers, labels: Array) -> Scores:
        """Minus the root mean squared error of each sample; the metric is over all values that have a target."""
        targets = labels.reshape(len(labels), -1)
        errors: Array = np.where(np.isnan(targets), np.nan, answers - targets)
        with np.errstate(invalid="ignore", divide="ignore"):
            known = np.maximum((~np.isnan(errors)).sum(axis=1), 1)
            each = -np.sqrt(np.nansum(errors**2, axis=1) / known)
        return Scores(each, _pooled(self.metric_name, errors, targets))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Share of the values of each sample that differ by no more than the tolerance."""
        largest = self.tolerance if self.tolerance is not None else 0.01 * float(np.ptp(reference))
        return np.asarray((np.abs(reference - candidate) <= largest).mean(axis=1))

    def chance(self, labels: Array) -> float | None:
        """Metric of the best constant answer: the mean of all targets, or their median for the absolute error."""
        targets = labels[~np.isnan(labels)]
        if self.metric_name == "r2":
            return 0.0
        if self.metric_name == "mae":
            return float(np.abs(targets - np.median(targets)).mean())
        return float(targets.std())


def _pooled(metric: str, errors: Array, targets: Array) -> Callable[[Array], float]:
    """Metric over the samples at some indices. errors, targets: float64 [N, values], NaN where there is no target."""
    missing = np.isnan(errors)
    known, total, absolute = (~missing).sum(axis=1), np.nansum(errors**2, axis=1), np.nansum(np.abs(errors), axis=1)
    sums, squares = np.where(missing, 0, targets).sum(axis=1), np.where(missing, 0, targets**2).sum(axis=1)

    def pooled(indices: Array) -> float:
        count = max(int(known[indices].sum()), 1)
        if metric == "mae":
            return float(absolute[indices].sum() / count)
        if metric == "rmse":
            return float(np.sqrt(total[indices].sum() / count))
        spread = squares[indices].sum() - sums[indices].sum() ** 2 / count
        return float(1 - total[indices].sum() / spread) if spread > 0 else 0.0

    return pooled
