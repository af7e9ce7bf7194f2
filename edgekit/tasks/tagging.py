"""Tagging: a class for every place of a sequence, such as named entities or phonemes of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.confusion import f1
from edgekit.tasks.label_arrays import PAD, check_range
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.task import Answers, Outputs, TaskSpec, class_text, first_output
from edgekit.tasks.token_sequences import TOKENS, bio_spans, padded_tokens

SHOWN = 12
"""Tags that a text shows."""


class Tagging(TaskSpec):
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
        name, scores = first_output(outputs)
        whole = scores.dtype.kind in "iu"
        if scores.ndim != (2 if whole else 3):
            raise DataError(
                f"output '{name}' is {scores.dtype} {list(scores.shape)}, tagging needs scores [samples, places, "
                "classes] or classes int [samples, places]",
                hint="the scores of the places must be the model's first output; their order: [task] channels",
            )
        places = scores if whole or self.channels == "last" else scores.swapaxes(1, 2)
        if labels is None:
            return
        if labels.ndim != 2 or labels.dtype.kind not in "iu" or labels.shape[1] > places.shape[1]:
            raise DataError(
                f"labels are {labels.dtype} {list(labels.shape)}, output '{name}' has {places.shape[1]} places",
                hint=TOKENS,
            )
        if not whole:
            check_range(labels, places.shape[2], f"output '{name}' has {places.shape[2]} classes", pads=True)
        if self.tags and not whole and places.shape[2] != len(self.tags):
            raise DataError(
                f"output '{name}' has {places.shape[2]} classes, [task] names {len(self.tags)} tags",
                hint="tags lists one name a class, in the order of the output",
            )

    def answers(self, outputs: Outputs) -> Array:
        """Classes int64 [N, T]: the largest score, the first of equals."""
        scores = first_output(outputs)[1]
        if scores.dtype.kind in "iu":
            return scores.astype(np.int64)
        return np.asarray(np.argmax(scores, axis=2 if self.channels == "last" else 1))

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

    def _text(self, row: Array, classes: Sequence[str]) -> str:
        names = [class_text(int(one), self.tags or classes) for one in row[:SHOWN]]
        return " ".join([*names, *(["…"] if len(row) > SHOWN else [])])

    def _spans(self, answer: Array, label: Array) -> tuple[int, int, int]:
        """Numbers of right, surplus and missed spans of one sample."""
        counted = label != PAD
        ours, theirs = (
            bio_spans([self.tags[one] if one < len(self.tags) else "O" for one in row[counted]])
            for row in (answer[: len(label)], label)
        )
        return len(ours & theirs), len(ours - theirs), len(theirs - ours)
