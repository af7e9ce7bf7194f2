"""Depth estimation: a distance for every pixel. Takes the first output, depths [N, H, W] or [N, 1, H, W]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Flag, Real
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.task import Answers, Outputs, TaskSpec, first_output, squeezed

DEPTHS = "a sample is labelled with depths, float [height, width] of the output's size; 0 or NaN where one is unknown"
RATIO = 1.25
"""Ratio of an answer and the truth within which a pixel is right, for `delta1` (Eigen et al. 2014)."""


class Depth(TaskSpec):
    """Task `depth`: first output depths [N, H, W], or [N, 1, H, W] or [N, H, W, 1]; labels depths [N, H, W]."""

    flip_margin: ClassVar[float] = 0.05
    also: ClassVar[tuple[str, ...]] = ("absrel", "rmse", "delta1")
    metric_name: Literal["absrel", "rmse", "delta1"] = Field(default="absrel", alias="metric")
    """Mean of |answer - truth| / truth; root mean squared error; or share of pixels within a ratio of 1.25."""
    unit: str = "m"
    """Unit of the depths, for reports."""
    nearest: Real = Field(default=1e-3, gt=0)
    """Depth up from which pixels count; smaller answers are raised to it."""
    farthest: Real = Field(default=80.0, gt=0)
    """Depth up to which pixels count; larger answers are lowered to it."""
    aligned: Flag = False
    """Multiply each sample's answer so that its median is that of the truth, for networks without a scale."""
    ratio: Real = Field(default=1.05, gt=1)
    """Largest ratio of two depths of a pixel that agree."""

    @model_validator(mode="after")
    def _range_is_no_point(self) -> Depth:
        if self.nearest >= self.farthest:
            raise ValueError("'nearest' must be below 'farthest'")
        return self

    @property
    def metric(self) -> Metric:
        if self.metric_name == "rmse":
            return Metric("rmse", self.unit, higher_is_better=False)
        return Metric(self.metric_name, higher_is_better=self.metric_name == "delta1")

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack depths, float32 [N, H, W]. Raises DataError."""
        maps = [np.asarray(label) for label in labels]
        for i, depths in enumerate(maps):
            if depths.dtype.kind not in "uif" or depths.ndim != 2 or depths.shape != maps[0].shape:
                raise DataError(
                    f"label of sample {i} is {depths.dtype} {list(depths.shape)}, no depths of one size", hint=DEPTHS
                )
            if (depths < 0).any():
                raise DataError(f"label of sample {i} has a depth of {np.nanmin(depths):.4g}", hint=DEPTHS)
        array = np.stack(maps).astype(np.float32)
        if not self._known(array).any():
            raise DataError(
                f"no depth of any sample is between {self.nearest:g} and {self.farthest:g}",
                hint="[task] nearest and farthest are in the unit of the depths, metres or millimetres",
            )
        return array

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output is no depth a pixel, or labels have another size."""
        name, depths = first_output(outputs)
        size = squeezed(depths.shape)[1:]
        if len(size) != 2:
            raise DataError(
                f"output '{name}' has shape {list(depths.shape)}, depths are [samples, height, width]",
                hint="the depths must be the model's first output",
            )
        if labels is not None and labels.shape != (len(depths), *size):
            raise DataError(f"depths are {list(labels.shape[1:])}, output '{name}' is {list(size)}", hint=DEPTHS)

    def answers(self, outputs: Outputs) -> Array:
        """Depths float32 [N, H, W]."""
        depths = first_output(outputs)[1]
        return depths.reshape(squeezed(depths.shape)).astype(np.float32)

    def score(self, answers: Answers, labels: Array) -> Scores:
        """Minus the mean relative error of each sample; the metric is over all pixels that count."""
        sums = np.array([self._sums(*pair) for pair in zip(answers, labels, strict=True)]).T
        column = sums[("absrel", "rmse", "delta1").index(self.metric_name)]

        def pooled(indices: Array) -> float:
            mean = float(column[indices].sum() / max(sums[3, indices].sum(), 1))
            return mean**0.5 if self.metric_name == "rmse" else mean

        return Scores(-sums[0] / np.maximum(sums[3], 1), pooled)

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Share of the pixels of each sample whose depths differ by no more than the ratio."""
        ours, theirs = (np.clip(one, self.nearest, self.farthest) for one in (reference, candidate))
        alike: Array = np.maximum(ours / theirs, theirs / ours) <= self.ratio
        return np.asarray(alike.mean(axis=(1, 2)))

    def chance(self, labels: Array) -> float | None:
        """Metric of the best of a hundred constant depths, which are quantiles of the true ones."""
        if self.aligned:
            return self.score(np.ones_like(labels), labels).value
        known = labels[self._known(labels)]
        part = known[:: max(1, len(known) // 50_000)][None, None]
        values = [self.score(np.full_like(part, one), part).value for one in np.quantile(part, np.linspace(0, 1, 101))]
        return max(values) if self.metric.higher_is_better else min(values)

    def _known(self, labels: Array) -> Array:
        return np.asarray((labels >= self.nearest) & (labels <= self.farthest))

    def _sums(self, answer: Array, label: Array) -> tuple[float, float, float, int]:
        """Sums over the pixels of one sample that count: relative and squared errors, right ones, and all."""
        counted = self._known(label)
        truth, depths = label[counted].astype(np.float64), answer[counted].astype(np.float64)
        if self.aligned and len(depths) and np.median(depths) > 0:
            depths = depths * (np.median(truth) / np.median(depths))
        depths = np.clip(depths, self.nearest, self.farthest)
        ratios = np.maximum(depths / truth, truth / depths)
        errors = depths - truth
        return (
            float((np.abs(errors) / truth).sum()),
            float((errors**2).sum()),
            float((ratios < RATIO).sum()),
            len(truth),
        )
