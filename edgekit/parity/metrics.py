"""What "right" means for a task. Found by the task's name in the entry-point group `edgekit.metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from edgekit import plugins
from edgekit.errors import DataError
from edgekit.ir.measurement import Array

Outputs = Mapping[str, Array]


class Metric(Protocol):
    """Scores one sample at a time, so that two endpoints can be compared sample by sample."""

    name: ClassVar[str]

    def check(self, outputs: Outputs, labels: Array) -> None:
        """Raise DataError if these outputs and labels cannot be scored. Called before the other two."""
        ...

    def scores(self, outputs: Outputs, labels: Array) -> Array:
        """float64 [N] in [0, 1], higher is better; its mean is the metric."""
        ...

    def answers(self, outputs: Outputs) -> Array:
        """[N]: what the model says to each sample. Two endpoints agree where these are equal."""
        ...


def metric_of(task: str) -> Metric:
    """Metric of a task, from the entry-point group `edgekit.metrics`. Raises UnknownName if no metric has that name."""
    metric: Metric = plugins.load("metrics", task)()
    return metric


@runtime_checkable
class Chance(Protocol):
    """What a metric may say besides: how well one does who never looks at a sample."""

    def chance(self, labels: Array) -> float:
        """The metric of the best constant answer to `labels`, in [0, 1]."""
        ...


class TopOne:
    """Share of samples whose largest output is at the label. Takes the first output, float [N, classes]."""

    name: ClassVar[str] = "top1"

    def check(self, outputs: Outputs, labels: Array) -> None:
        """Raise DataError if the first output is not [N, classes], or a label is no integer in [0, classes)."""
        name, logits = next(iter(outputs.items()))
        if logits.ndim != 2:
            raise DataError(
                f"output '{name}' has shape {list(logits.shape)}, classification needs [samples, classes]",
                hint="the class scores must be the model's first output",
            )
        if labels.shape != logits.shape[:1] or labels.dtype.kind not in "iu":
            raise DataError(
                f"labels are {labels.dtype} {list(labels.shape)}, classification of {len(logits)} samples needs one "
                "integer each",
                hint=_as_classes(labels),
            )
        classes = logits.shape[1]
        wrong = np.flatnonzero((labels < 0) | (labels >= classes))
        if len(wrong):
            raise DataError(
                f"label {labels[wrong[0]]} of sample {wrong[0]} is outside 0 to {classes - 1} "
                f"({len(wrong)} of {len(labels)} are)",
                hint=f"output '{name}' has {classes} classes; labels are indices into them",
            )

    def scores(self, outputs: Outputs, labels: Array) -> Array:
        """float64 [N]: 1 where the answer is the label, 0 elsewhere."""
        return np.equal(self.answers(outputs), labels).astype(np.float64)

    def answers(self, outputs: Outputs) -> Array:
        """int64 [N]: the class of the largest output, the first of equals."""
        answers: Array = np.argmax(next(iter(outputs.values())), axis=1)
        return answers

    def chance(self, labels: Array) -> float:
        """Share of the most frequent label of int [N]."""
        _, counts = np.unique(labels, return_counts=True)
        return float(counts.max() / len(labels))


def _as_classes(labels: Array) -> str:
    """A line that makes class indices of labels, by what they look like."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        return "of one column a class: labels.argmax(axis=1)"
    if labels.ndim > 1 and labels.size == len(labels):
        return "labels.reshape(-1)"
    return "labels are indices into [model] classes, 0 for the first: labels.astype('int64')"
