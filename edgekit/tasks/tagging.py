"""Tagging: a class for every place of a sequence, such as named entities or phonemes of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.class_scores import ClassScores
from edgekit.tasks.confusion import f1
from edgekit.tasks.label_arrays import PAD, check_range
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.task import Answers, ClassTaskSpec, Outputs, class_text, joined
from edgekit.tasks.token_sequences import TOKENS, Places, bio_spans, check_places, padded_tokens, places_of

SHOWN = 12
"""Tags that a text shows."""


class Tagging(ClassTaskSpec):
    """Task `tagging`: first output scores [N, T, classes], or classes int [N, T]; labels are classes int [T] or fewer.

    Labels of -1 or -100, and places behind a label's end, do not count in the metric. For agreement all places count:
    it does not know the labels.
    """

    flip_margin: ClassVar[float] = 0.0
    also: ClassVar[tuple[str, ...]] = ("token-accuracy", "exact")
    metric_name: Literal["token-accuracy", "exact", "span-f1"] = Field(default="token-accuracy", alias="metric")
    """Share of the places that are right; of the sequences that are right at every place; or F1 of the spans of all
    sequences, which needs `tags`."""
    channels: Literal["first", "last"] = "last"
    """Place of the classes among the axes: [N, classes, T], or [N, T, classes]."""
    tags: tuple[str, ...] = ()
    """Names of the classes in BIO form, in their order: `O`, `B-PER`, `I-PER`."""

    @model_validator(mode="after")
    def _spans_have_names(self) -> Tagging:
        if self.metric_name == "span-f1" and not self.tags:
            raise ValueError("'span-f1' needs the names of the classes: tags = ['O', 'B-PER', 'I-PER']")
        wrong = [tag for tag in self.tags if tag != "O" and tag[:2] not in ("B-", "I-")]
        if wrong:
            raise ValueError(f"tag '{wrong[0]}' is neither 'O' nor of the form 'B-…' or 'I-…'")
        return self

    @property
    def metric(self) -> Metric:
        return Metric(self.metric_name)

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack classes, int64 [N, longest], filled with -1. Raises DataError."""
        array = padded_tokens(labels)
        count = len(self.tags) or classes
        if count:
            check_range(array, count, TOKENS, pads=True)
        return array

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output has no places, or labels have more places or classes than it."""
        places = self._places(outputs)
        name, classes = places.name, places.symbols
        if self.tags and classes not in (None, len(self.tags)):
            raise DataError(
                f"output '{name}' has {classes} classes, [task] names {len(self.tags)} tags",
                hint="tags lists one name a class, in the order of the output",
            )
        if labels is None:
            return
        check_places(labels, name, places.values.shape[1], TOKENS)
        if classes is not None:
            check_range(labels, classes, f"output '{name}' has {classes} classes", pads=True)

    def class_scores(self, outputs: Outputs, labels: Array | None) -> ClassScores | None:
        """Scores of the places that have labels, or of all; None where the output holds classes."""
        places = self._places(outputs)
        if places.symbols is None:
            return None
        values, counted = places.values, np.ones(places.values.shape[:2], bool)
        if labels is not None:
            values, counted = values[:, : labels.shape[1]], labels != PAD
        truth = None if labels is None else labels[counted]
        return ClassScores(values[counted], truth, np.nonzero(counted)[0], form=self.scores)

    def answers(self, outputs: Outputs) -> Array:
        """Classes int64 [N, T]: the largest score, the first of equals."""
        return self._places(outputs).best

    def score(self, answers: Answers, labels: Array) -> Scores:
        """Share of right places of each sample, 1 or 0 for `exact`, or its F1 of spans."""
        counted = labels != PAD
        right = ((answers[:, : labels.shape[1]] == labels) & counted).sum(axis=1)
        places = counted.sum(axis=1)
        if self.metric_name == "exact":
            return Scores((right == places).astype(np.float64))
        if self.metric_name == "span-f1":
            counts = np.array([self._spans(*pair) for pair in zip(answers, labels, strict=True)]).T
            return Scores(f1(*counts), lambda indices: float(f1(*counts[:, indices].sum(axis=1))))
        each = np.where(places, right / np.maximum(places, 1), 1.0)
        return Scores(each, lambda indices: float(right[indices].sum() / max(int(places[indices].sum()), 1)))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Share of the places of each sample, padding among them, that are of the same class."""
        return np.asarray((reference == candidate).mean(axis=1))

    def chance(self, labels: Array) -> float | None:
        """Metric of the most frequent class at every place; 0 for spans."""
        values, counts = np.unique(labels[labels != PAD], return_counts=True)
        if not len(values):
            return None
        if self.metric_name == "span-f1":
            return 0.0
        return self.score(np.full(labels.shape, values[counts.argmax()]), labels).value

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return self._text(answers[i], classes)

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return self._text(labels[i][labels[i] != PAD], classes)

    def _places(self, outputs: Outputs) -> Places:
        return places_of(outputs, self.channels, "tagging", "classes")

    def _text(self, row: Array, classes: Sequence[str]) -> str:
        return joined([class_text(int(one), self.tags or classes) for one in row], SHOWN, " ")

    def _spans(self, answer: Array, label: Array) -> tuple[int, int, int]:
        """Numbers of right, surplus and missed spans of one sample."""
        counted = label != PAD
        ours, theirs = (
            bio_spans([self.tags[one] if one < len(self.tags) else "O" for one in row[counted]])
            for row in (answer[: len(label)], label)
        )
        return len(ours & theirs), len(ours - theirs), len(theirs - ours)
