"""Forecasting: the next values of series. Takes the first output, values [N, horizon, …], or their quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Real, Whole
from edgekit.tasks.label_arrays import stacked
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.secondary import SecondaryFigure
from edgekit.tasks.task import Answers, Outputs, TaskSpec, first_output, metric_figure

TARGETS = "a sample is labelled with the true values, [horizon] or [horizon, series]; NaN where one is unknown"
Name = Literal["mase", "smape", "rmse", "mae", "pinball"]


class Forecasting(TaskSpec):
    """Task `forecasting`: first output values [N, horizon, …], or [N, horizon, …, quantiles]; labels values."""

    metric_name: Name = Field(default="mase", alias="metric")
    """`mase`: mean absolute error over that of a naive forecast (Hyndman & Koehler 2006); `smape`: symmetric relative
    error, from 0 to 200 % (Makridakis 1993); `rmse`, `mae`; `pinball`: mean loss of `quantiles`. Lower is better."""
    unit: str = ""
    """Unit of the values, for reports: `kW`."""
    season: Whole = Field(default=1, ge=1)
    """Steps of a season: the naive forecast is the value of one season before."""
    scale: Real | None = Field(default=None, gt=0)
    """Mean absolute error of the naive forecast on the training series. By default that within the labels: the mean of
    |y(t) - y(t - season)| over all horizons of the set."""
    quantiles: tuple[Real, ...] = ()
    """Quantiles on the last axis of the output, rising; other metrics take the one nearest to the median."""
    tolerance: Real | None = Field(default=None, gt=0)
    """Largest difference of two values that agree; by default 1 % of the reference's range of values."""

    @field_validator("quantiles")
    @classmethod
    def _rising(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if list(quantiles) != sorted(set(quantiles)) or any(not 0 < one < 1 for one in quantiles):
            raise ValueError("quantiles rise between 0 and 1, such as [0.1, 0.5, 0.9]")
        return quantiles

    @model_validator(mode="after")
    def _pinball_has_quantiles(self) -> Forecasting:
        if self.metric_name == "pinball" and not self.quantiles:
            raise ValueError("'pinball' needs the quantiles of the output: quantiles = [0.1, 0.5, 0.9]")
        return self

    @property
    def metric(self) -> Metric:
        if self.metric_name == "smape":
            return Metric("smape", higher_is_better=False)
        return Metric(self.metric_name, "" if self.metric_name == "mase" else self.unit, higher_is_better=False)

    @property
    def margin(self) -> float:
        return self.tolerance or 0.0

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack true values, float64 [N, horizon, …]. Raises DataError."""
        array = stacked(labels, TARGETS).astype(np.float64)
        if array.ndim < 2:
            raise DataError("a label is one number, forecasting needs a horizon of values", hint=TARGETS)
        if np.isnan(array).all():
            raise DataError("no true value is known", hint=TARGETS)
        if self._needs_scale and array.shape[1] <= self.season:
            raise DataError(
                f"a horizon of {array.shape[1]} has no value one season of {self.season} before another",
                hint="state the error of the naive forecast: [task] scale = …, or take metric = 'mae'",
            )
        return array

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the output has other quantiles, or labels are not of its shape."""
        name, values = first_output(outputs)
        shape = values.shape[:-1] if self.quantiles else values.shape
        if len(shape) < 2 or (self.quantiles and values.shape[-1] != len(self.quantiles)):
            last = f", {len(self.quantiles)} quantiles" if self.quantiles else ""
            raise DataError(
                f"output '{name}' has shape {list(values.shape)}, forecasting needs [samples, horizon{last}]",
                hint="the forecast must be the model's first output; the quantiles are its last axis",
            )
        if labels is not None and labels.shape != shape:
            raise DataError(f"labels are {list(labels.shape)}, output '{name}' is {list(values.shape)}", hint=TARGETS)

    def answers(self, outputs: Outputs) -> Array:
        """Values float64 [N, values, quantiles]; one quantile where the output has none."""
        values = first_output(outputs)[1]
        return values.reshape(len(values), -1, max(len(self.quantiles), 1)).astype(np.float64)

    def score(self, answers: Answers, labels: Array) -> Scores:
        """Minus the mean absolute error of each sample; the metric is over all values that are known."""
        truth = labels.reshape(len(labels), -1)
        known = ~np.isnan(truth)
        losses, absolute = self._losses(answers, truth), np.abs(self._points(answers) - truth)
        sums, counts = np.where(known, losses, 0).sum(axis=1), known.sum(axis=1)
        scale = self._scale(labels) if self.metric_name == "mase" else 1.0

        def pooled(indices: Array) -> float:
            mean = float(sums[indices].sum() / max(int(counts[indices].sum()), 1))
            return mean**0.5 if self.metric_name == "rmse" else mean / scale

        return Scores(-np.where(known, absolute, 0).sum(axis=1) / np.maximum(counts, 1), pooled)

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Share of the values of each sample, quantiles among them, that differ by no more than the tolerance."""
        largest = self.tolerance if self.tolerance is not None else 0.01 * float(np.ptp(reference))
        return np.asarray((np.abs(reference - candidate) <= largest).mean(axis=(1, 2)))

    def secondary(self, reference: Answers, candidate: Answers, labels: Array | None) -> Sequence[SecondaryFigure]:
        """The other metrics that these labels and options allow."""
        if labels is None:
            return ()
        names: list[Name] = ["mase", "smape", "rmse", "pinball"] if self.quantiles else ["mase", "smape", "rmse"]
        others = [self.model_copy(update={"metric_name": name}) for name in names if name != self.metric_name]
        return tuple(
            metric_figure(task, reference, candidate, labels)
            for task in others
            if not task._needs_scale or labels.shape[1] > self.season
        )

    def chance(self, labels: Array) -> float | None:
        """Metric of the best constant forecast: the median, or quantiles, of all true values; the mean for `rmse`."""
        truth = labels[~np.isnan(labels)]
        best = np.quantile(truth, self.quantiles or (0.5,)) if self.metric_name != "rmse" else truth.mean()
        flat = (len(labels), labels[0].size, max(len(self.quantiles), 1))
        return self.score(np.broadcast_to(best, flat), labels).value

    @property
    def _needs_scale(self) -> bool:
        return self.metric_name == "mase" and self.scale is None

    def _scale(self, labels: Array) -> float:
        """Mean absolute error of the naive forecast; 1 where the series do not change."""
        if self.scale is not None:
            return self.scale
        steps = np.abs(labels[:, self.season :] - labels[:, : -self.season])
        mean = float(np.nanmean(steps)) if (~np.isnan(steps)).any() else 0.0
        return mean or 1.0

    def _points(self, answers: Array) -> Array:
        """Values float64 [N, values]: of the quantile nearest to the median."""
        nearest = int(np.argmin(np.abs(np.array(self.quantiles) - 0.5))) if self.quantiles else 0
        return np.asarray(answers[..., nearest])

    def _losses(self, answers: Array, truth: Array) -> Array:
        """Loss of each value, float64 [N, values]."""
        if self.metric_name == "pinball":
            errors, shares = truth[..., None] - answers, np.array(self.quantiles)
            return np.asarray(np.maximum(shares * errors, (shares - 1) * errors).mean(axis=2))
        errors = np.abs(self._points(answers) - truth)
        if self.metric_name == "smape":
            sizes = np.abs(self._points(answers)) + np.abs(truth)
            return np.asarray(np.divide(2 * errors, sizes, out=np.zeros_like(errors), where=sizes > 0))
        return np.asarray(errors**2 if self.metric_name == "rmse" else errors)
