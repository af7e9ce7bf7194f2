"""Anomaly detection: a score that is larger for what is unlike the training data. Takes the first output, one score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Real
from edgekit.tasks.label_arrays import check_integers, check_range, stacked
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.roc import RocCurve, drawn_counts
from edgekit.tasks.task import Answers, Outputs, TaskSpec, first_output

KINDS = "a sample is labelled with 0 if it is normal, with 1 if it is anomalous"
SCORE = (
    "the first output must be one score a sample: a reconstruction error is computed in the model's forward, "
    "((output - x) ** 2).mean(dim=(1, 2, 3)), or from the outputs by [task] decode = 'file.py:name'"
)


class Anomaly(TaskSpec):
    """Task `anomaly`: first output scores [N] or [N, 1], larger for anomalies; labels are 0 or 1, int [N]."""

    also: ClassVar[tuple[str, ...]] = ("auc", "average-precision")
    metric_name: Literal["auc", "average-precision"] = Field(default="auc", alias="metric")
    """Area under the ROC curve, or mean precision at the anomalies."""
    threshold: Real | None = None
    """Score from which a sample is an anomaly; by default the `quantile` of the reference's scores."""
    quantile: Real = Field(default=0.9, gt=0, lt=1)
    """Share of samples that are normal, where no threshold is stated."""

    @property
    def metric(self) -> Metric:
        return Metric(self.metric_name)

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack flags, int64 [N]. Raises DataError."""
        array = stacked(labels, KINDS)
        check_integers(array, len(array), "one flag a sample is needed", KINDS)
        check_range(array, 2, KINDS)
        return array

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output is not one score a sample, or there is not one label for each."""
        name, scores = first_output(outputs)
        if int(np.prod(scores.shape[1:])) != 1:
            raise DataError(f"output '{name}' has shape {list(scores.shape)}, one score a sample is needed", hint=SCORE)
        if labels is not None:
            check_integers(labels, len(scores), f"{len(scores)} samples need one flag each", KINDS)

    def answers(self, outputs: Outputs) -> Array:
        """Scores float64 [N]."""
        return first_output(outputs)[1].reshape(-1).astype(np.float64)

    def score(self, answers: Answers, labels: Array) -> Scores:
        """1 where a sample is on the right side of the threshold, by default that of equal errors."""
        curve = RocCurve(answers, labels == 1)
        threshold = curve.eer_threshold if self.threshold is None else self.threshold
        right = ((answers >= threshold) == (labels == 1)).astype(np.float64)
        figure = curve.auc if self.metric_name == "auc" else curve.average_precision
        return Scores(right, lambda indices: figure(drawn_counts(indices, len(answers))))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """1 where both endpoints have a sample on the same side of the threshold, else of the reference's quantile."""
        threshold = np.quantile(reference, self.quantile) if self.threshold is None else self.threshold
        return np.asarray((reference >= threshold) == (candidate >= threshold), np.float64)

    def chance(self, labels: Array) -> float | None:
        """AUC of one score for all, or share of anomalies, which is the precision then."""
        return 0.5 if self.metric_name == "auc" else float(labels.mean())

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return "anomalous" if labels[i] else "normal"
