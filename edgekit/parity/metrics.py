"""Metrics: the score of an answer for each task, by the task's name in the entry-point group `edgekit.metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from edgekit import plugins
from edgekit.errors import DataError
from edgekit.ir.measurement import Array

Outputs = Mapping[str, Array]


class Metric(Protocol):
    """Score of one sample at a time, so that two endpoints can be compared sample by sample.

    To write one for another task:

    1. Write a class with a `name` and the three methods below; it is created without arguments. Outputs are arrays
       [N, …] by name, in the order of the model's outputs; labels are an array [N, …] as the project's data give them.
    2. Give it `chance` as well, if the best constant answer to some labels has a score (`Chance`).
    3. Register it under the name of the task, which a project then states as `[model] task`:

           [project.entry-points."edgekit.metrics"]
           classification-top5 = "my_package:TopFive"

    An example, for scores [N, classes] and labels int [N]:

        class TopFive:
            name = "top5"

            def check(self, outputs, labels):
                if labels.ndim != 1:
                    raise DataError(f"labels are {list(labels.shape)}, one class a sample is needed")

            def scores(self, outputs, labels):
                best = np.argsort(next(iter(outputs.values())), axis=1)[:, -5:]
                return (best == labels[:, None]).any(axis=1).astype(np.float64)

            def answers(self, outputs):
                return np.argmax(next(iter(outputs.values())), axis=1)
    """

    name: ClassVar[str]
    """Name of the metric in reports."""

    def check(self, outputs: Outputs, labels: Array) -> None:
        """Raise DataError, with a hint, if these outputs and labels cannot be scored. Called before the other two."""
        ...

    def scores(self, outputs: Outputs, labels: Array) -> Array:
        """Scores float64 [N] in [0, 1], higher is better; their mean is the metric."""
        ...

    def answers(self, outputs: Outputs) -> Array:
        """Answers [N] of the model, one a sample. Two endpoints agree where these are equal."""
        ...


def metric_of(task: str) -> Metric:
    """Metric of a task, from the entry-point group `edgekit.metrics`. Raises UnknownName if no metric has that name."""
    metric: Metric = plugins.load("metrics", task)()
    return metric


@runtime_checkable
class Chance(Protocol):
    """Optional method of a metric: the score of the best answer that does not depend on the sample."""

    def chance(self, labels: Array) -> float:
        """Metric of the best constant answer to `labels`, in [0, 1]."""
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
    """Hint with a line of Python that makes class indices of labels of this shape."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        return "of one column a class: labels.argmax(axis=1)"
    if labels.ndim > 1 and labels.size == len(labels):
        return "labels.reshape(-1)"
    return "labels are indices into [model] classes, 0 for the first: labels.astype('int64')"
