"""Classification: one class a sample, or several (multi-label). Takes the first output, scores [N, classes]."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Flag, Real
from edgekit.tasks.class_scores import ClassScores, whole_samples
from edgekit.tasks.confusion import pooled_f1
from edgekit.tasks.flags import collect_flags, flag_names, jaccard
from edgekit.tasks.label_arrays import NUMBERS, check_integers, check_range, stacked
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.secondary import SecondaryFigure
from edgekit.tasks.task import Answers, ClassTaskSpec, Outputs, class_text, first_output


def _stated_temperature(value: Any) -> Any:
    if value == FIT or (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < inf):
        return value
    raise ValueError(f"expected '{FIT}' or a number above 0")


FIT = "fit"
Temperature = Annotated[float | Literal["fit"], BeforeValidator(_stated_temperature)]
"""Number that logits are divided by in the model, or `fit`: the one with the least loss on calibration data."""
FLAGS = "a multi-label sample is labelled with 0 or 1 for each class: [0, 1, 0]"


class Classification(ClassTaskSpec):
    """Task `classification`: labels are indices into the classes, int [N]."""

    label_targets: ClassVar[bool] = True
    also: ClassVar[tuple[str, ...]] = ("top1", "top5")
    metric_name: Literal["top1", "top5", "f1"] = Field(default="top1", alias="metric")
    """`top5` counts a sample right if its label is among the five largest scores; `f1` is the mean F1 of the classes
    (macro)."""
    temperature: Temperature | None = None
    """Temperature that the model ships with: its logits are divided by it (docs/calibration.md)."""

    @model_validator(mode="after")
    def _divides_logits(self) -> Classification:
        _check_logits(self)
        return self

    @property
    def metric(self) -> Metric:
        return Metric(self.metric_name)

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack class indices, int64 [N]. Raises DataError."""
        array = stacked(labels)
        check_integers(array, len(array), "classification needs one integer a sample", _as_classes(array))
        if classes:
            check_range(array, classes, NUMBERS)
        return array

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output is not [N, classes], or a label is no integer in [0, classes)."""
        name, scores = first_output(outputs)
        if scores.ndim != 2:
            raise DataError(
                f"output '{name}' has shape {list(scores.shape)}, classification needs [samples, classes]",
                hint="the class scores must be the model's first output; [model] task says what else a model does",
            )
        if labels is None:
            return
        need = f"classification of {len(scores)} samples needs one integer each"
        check_integers(labels, len(scores), need, _as_classes(labels))
        classes = scores.shape[1]
        check_range(labels, classes, f"output '{name}' has {classes} classes; labels are indices into them")

    def class_count(self, outputs: Outputs) -> int:
        return int(first_output(outputs)[1].shape[1])

    def class_scores(self, outputs: Outputs, labels: Array | None) -> ClassScores:
        """Scores of one class of several: the probabilities of a softmax."""
        scores = first_output(outputs)[1]
        return ClassScores(scores, labels, whole_samples(scores), form=self.scores, temperature=_shipped(self))

    def answers(self, outputs: Outputs) -> Array:
        """The best classes int64 [N, 5], or fewer where there are fewer, by falling score; of equals the first."""
        return np.asarray(np.argsort(-first_output(outputs)[1], axis=1, kind="stable")[:, :5])

    def score(self, answers: Answers, labels: Array) -> Scores:
        """1 where the label is among the answer's classes, 0 elsewhere."""
        counted = answers if self.metric_name == "top5" else answers[:, :1]
        right = (counted == labels[:, None]).any(axis=1).astype(np.float64)
        if self.metric_name != "f1":
            return Scores(right)
        classes = int(max(labels.max(), answers.max())) + 1
        return Scores(right, pooled_f1(_one_hot(answers[:, 0], classes), _one_hot(labels, classes)))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """1 where the classes with the highest score are equal, 0 elsewhere."""
        return np.asarray(reference[:, 0] == candidate[:, 0], np.float64)

    def secondary(self, reference: Answers, candidate: Answers, labels: Array | None) -> Sequence[SecondaryFigure]:
        """Metrics of `also`; no `top5` of fewer than five classes, which is always right."""
        figures = super().secondary(reference, candidate, labels)
        return tuple(figure for figure in figures if figure.name != "top5" or reference.shape[1] == 5)

    def distinct(self, answers: Answers) -> int:
        return len(np.unique(answers[:, 0]))

    def chance(self, labels: Array) -> float | None:
        """Share of the most frequent labels of int [N]: one, or five for `top5`. None for `f1`."""
        if self.metric_name == "f1":
            return None
        counts = np.sort(np.unique(labels, return_counts=True)[1])[::-1]
        return float(counts[: 5 if self.metric_name == "top5" else 1].sum() / len(labels))

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return class_text(int(answers[i, 0]), classes)

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return class_text(int(labels[i]), classes)


class MultiLabel(ClassTaskSpec):
    """Task `multi-label`: any number of classes a sample; labels are 0 or 1 for each, int [N, classes]."""

    threshold: Real = 0.0
    """Score from which a class is an answer: 0 for logits, 0.5 where the network ends in a sigmoid."""
    macro: Flag = False
    """Mean of the F1 of the classes, instead of the F1 over all their answers together (micro)."""
    temperature: Temperature | None = None
    """Temperature that the model ships with: its logits are divided by it (docs/calibration.md)."""

    @model_validator(mode="after")
    def _divides_logits(self) -> MultiLabel:
        _check_logits(self)
        if self.temperature is not None and self.threshold != 0:
            raise ValueError("'temperature' divides logits, which leaves a threshold of 0 where it is, and no other")
        return self

    @property
    def metric(self) -> Metric:
        return Metric("macro-f1" if self.macro else "f1")

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack flags, int64 [N, classes]. Raises DataError."""
        return collect_flags(labels, (2,), classes, FLAGS).astype(np.int64)

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output is not [N, classes], or labels have another shape."""
        name, scores = first_output(outputs)
        if scores.ndim != 2:
            raise DataError(
                f"output '{name}' has shape {list(scores.shape)}, multi-label classification needs [samples, classes]",
                hint="the class scores must be the model's first output",
            )
        if labels is not None and labels.shape != scores.shape:
            raise DataError(f"labels are {list(labels.shape)}, output '{name}' is {list(scores.shape)}", hint=FLAGS)

    def class_scores(self, outputs: Outputs, labels: Array | None) -> ClassScores:
        """Scores of a yes or no for each class: the probabilities of a sigmoid."""
        scores = first_output(outputs)[1]
        truth = None if labels is None else labels.astype(bool)
        form = self.scores or ("probabilities" if self.threshold > 0 else None)
        return ClassScores(scores, truth, whole_samples(scores), several=True, form=form, temperature=_shipped(self))

    def answers(self, outputs: Outputs) -> Array:
        """Flags bool [N, classes]: classes whose score reaches the threshold."""
        return np.greater_equal(first_output(outputs)[1], self.threshold)

    def score(self, answers: Answers, labels: Array) -> Scores:
        """Share of right flags of each sample; the metric is an F1 over all of them."""
        truth = labels.astype(bool)
        return Scores((answers == truth).mean(axis=1), pooled_f1(answers, truth, macro=self.macro))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Jaccard index of the two sets of classes: 1 where both are empty."""
        return jaccard(reference, candidate)

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return flag_names(answers[i], classes, "no class")

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return flag_names(labels[i], classes, "no class")


def _check_logits(task: Classification | MultiLabel) -> None:
    if task.temperature is not None and task.scores == "probabilities":
        raise ValueError("'temperature' divides logits: let the network return them, without softmax or sigmoid")


def _shipped(task: Classification | MultiLabel) -> float | None:
    """Temperature in the model; None before it is fitted, and where there is none."""
    return task.temperature if isinstance(task.temperature, (int, float)) else None


def _one_hot(labels: Array, classes: int) -> Array:
    return np.asarray(np.arange(classes) == labels[:, None])


def _as_classes(labels: Array) -> str:
    """Hint with a line of Python that makes class indices of labels of this shape."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        return "of one column a class: labels.argmax(axis=1); several classes a sample: [model] task = 'multi-label'"
    if labels.ndim > 1 and labels.size == len(labels):
        return "labels.reshape(-1)"
    return "labels are indices into [model] classes, 0 for the first: labels.astype('int64')"
