"""Pairs: a network that compares two things, such as a siamese one. Takes a score, or two embeddings, of each pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Flag, Real
from edgekit.tasks.cosine import normalized, pearson, ranks, spearman
from edgekit.tasks.label_arrays import check_integers, check_range, stacked
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.roc import RocCurve, drawn_counts
from edgekit.tasks.task import Answers, Outputs, TaskSpec

SAME = "a pair is labelled with 1 if both are the same, 0 if not"
GRADES = "a pair is labelled with a number: the larger, the more alike the two are"


class PairTask(TaskSpec):
    """Base of tasks on pairs: the first output is one score a pair; else the first two are embeddings [N, D]."""

    distance: Flag = False
    """The score is a distance: smaller for what is alike."""

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the outputs give no score a pair, or there is not one label for each."""
        shapes = [values.shape for values in outputs.values()]
        scored = int(np.prod(shapes[0][1:])) == 1
        if not scored and (len(shapes) < 2 or shapes[0] != shapes[1] or len(shapes[0]) != 2):
            raise DataError(
                f"outputs are {', '.join(str(list(shape)) for shape in shapes[:2])}: neither one score a pair, nor two "
                "embeddings of one length",
                hint="the first output is a score [samples], or the first two are embeddings [samples, dimensions]",
            )
        if labels is not None and labels.shape != shapes[0][:1]:
            raise DataError(f"labels are {list(labels.shape)} for {shapes[0][0]} pairs", hint=SAME)

    def answers(self, outputs: Outputs) -> Array:
        """Similarity of each pair, float64 [N]: the score, negated if it is a distance; or the cosine."""
        first, *others = outputs.values()
        if first.size == len(first):
            scores = first.reshape(-1).astype(np.float64)
            return -scores if self.distance else scores
        return np.asarray((normalized(first) * normalized(others[0])).sum(axis=1, dtype=np.float64))

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return f"{-answers[i] if self.distance else answers[i]:.4g}"


class Verification(PairTask):
    """Task `verification`: labels are 1 for the same, 0 for different, int [N]."""

    also: ClassVar[tuple[str, ...]] = ("eer", "auc")
    metric_name: Literal["eer", "auc", "accuracy"] = Field(default="eer", alias="metric")
    """Equal error rate, area under the ROC curve, or accuracy at the `threshold`."""
    threshold: Real | None = None
    """Score from which a pair is the same, up to which for distances. By default, for `accuracy` and flips the one
    with equal errors, and for agreement the median of the reference's scores."""

    @property
    def metric(self) -> Metric:
        return Metric(self.metric_name, higher_is_better=self.metric_name != "eer")

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack flags, int64 [N]. Raises DataError."""
        array = stacked(labels, SAME)
        check_integers(array, len(array), "one flag a pair is needed", SAME)
        check_range(array, 2, SAME)
        return array

    def score(self, answers: Answers, labels: Array) -> Scores:
        """1 where a pair is on the right side of the threshold; `accuracy` is their mean."""
        curve = RocCurve(answers, labels == 1)
        right = ((answers >= self._threshold(curve.eer_threshold)) == (labels == 1)).astype(np.float64)
        if self.metric_name == "accuracy":
            return Scores(right)
        figure = curve.eer if self.metric_name == "eer" else curve.auc
        return Scores(right, lambda indices: figure(drawn_counts(indices, len(answers))))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """1 where both endpoints have a pair on the same side of the threshold."""
        threshold = self._threshold(float(np.median(reference)))
        return np.asarray((reference >= threshold) == (candidate >= threshold), np.float64)

    def chance(self, labels: Array) -> float | None:
        return float(max(labels.mean(), 1 - labels.mean())) if self.metric_name == "accuracy" else 0.5

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return "same" if labels[i] else "different"

    def _threshold(self, default: float) -> float:
        if self.threshold is None:
            return default
        return -self.threshold if self.distance else self.threshold


class Similarity(PairTask):
    """Task `similarity`: labels are grades, float [N], larger for pairs that are more alike."""

    flip_margin: ClassVar[float] = 0.05
    also: ClassVar[tuple[str, ...]] = ("spearman", "pearson")
    metric_name: Literal["spearman", "pearson"] = Field(default="spearman", alias="metric")
    """Correlation of the ranks, or of the values, with the grades."""
    tolerance: Real = Field(default=0.05, gt=0)
    """Largest difference of two similarities that agree."""

    @property
    def metric(self) -> Metric:
        return Metric(self.metric_name, "")

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack grades, float64 [N]. Raises DataError."""
        array = stacked(labels, GRADES).astype(np.float64)
        if array.ndim != 1 or not np.isfinite(array).all():
            raise DataError(f"labels are {list(array.shape)}, one grade a pair is needed", hint=GRADES)
        if len(array) > 1 and np.ptp(array) == 0:
            raise DataError(f"all {len(array)} pairs have the grade {array[0]:g}: there is no order", hint=GRADES)
        return array

    def score(self, answers: Answers, labels: Array) -> Scores:
        """1 less the difference of a pair's places among all, by its similarity and by its grade."""
        each = 1 - np.abs(ranks(answers) - ranks(labels)) / max(len(labels) - 1, 1)
        figure = spearman if self.metric_name == "spearman" else pearson
        return Scores(each, lambda indices: figure(answers[indices], labels[indices]))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """1 where the similarities differ by no more than the tolerance."""
        return np.asarray(np.abs(reference - candidate) <= self.tolerance, np.float64)

    def chance(self, labels: Array) -> float | None:
        return 0.0
