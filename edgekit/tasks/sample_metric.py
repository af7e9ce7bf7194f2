"""Metrics of plug-ins: a score and an answer for each sample, registered in the entry-point group `edgekit.metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.tasks.class_scores import ClassScores
from edgekit.tasks.label_arrays import stacked
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.secondary import SecondaryFigure
from edgekit.tasks.task import Answers, Outputs, short


class SampleMetric(Protocol):
    """Score and answer of one sample at a time: the least that a task needs. `tasks.task.Task` can say more.

    To write one:

    1. Write a class with a `name` and the three methods below; it is created without arguments. Outputs are arrays
       [N, …] by name, in the order of the model's outputs; labels are an array [N, …] as the project's data give them.
    2. Give it `chance` as well, if the best constant answer to some labels has a score (`Chance`).
    3. Register it under the name of the task, which a project then states as `[model] task`:

           [project.entry-points."edgekit.metrics"]
           top-three = "my_package:TopThree"

    An example, for scores [N, classes] and labels int [N]:

        class TopThree:
            name = "top3"

            def check(self, outputs, labels):
                if labels.ndim != 1:
                    raise DataError(f"labels are {list(labels.shape)}, one class a sample is needed")

            def scores(self, outputs, labels):
                best = np.argsort(next(iter(outputs.values())), axis=1)[:, -3:]
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


@runtime_checkable
class Chance(Protocol):
    """Optional method of a metric: the score of the best answer that does not depend on the sample."""

    def chance(self, labels: Array) -> float:
        """Metric of the best constant answer to `labels`, in [0, 1]."""
        ...


@dataclass(frozen=True)
class ScoredBySample:
    """Task that consists of a plug-in's metric."""

    plugin: SampleMetric

    @property
    def metric(self) -> Metric:
        return Metric(self.plugin.name)

    @property
    def margin(self) -> float:
        return 0.0

    @property
    def trains_on_labels(self) -> bool:
        return True

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        return stacked(labels)

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        if labels is not None:
            self.plugin.check(outputs, labels)

    def class_count(self, outputs: Outputs) -> int | None:
        return None

    def class_scores(self, outputs: Outputs, labels: Array | None) -> ClassScores | None:
        """None: a plug-in's metric does not say what its outputs are."""
        return None

    def answers(self, outputs: Outputs) -> Answers:
        """Outputs as they are, and the plug-in's answers to them."""
        return outputs, np.asarray(self.plugin.answers(outputs))

    def score(self, answers: Answers, labels: Array) -> Scores:
        return Scores(np.asarray(self.plugin.scores(answers[0], labels), np.float64))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        alike: Array = np.equal(reference[1], candidate[1])
        return np.asarray(alike.reshape(len(alike), -1).all(axis=1), np.float64)

    def secondary(self, reference: Answers, candidate: Answers, labels: Array | None) -> Sequence[SecondaryFigure]:
        return ()

    def distinct(self, answers: Answers) -> int:
        return len(np.unique(answers[1], axis=0))

    def chance(self, labels: Array) -> float | None:
        return self.plugin.chance(labels) if isinstance(self.plugin, Chance) else None

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return short(answers[1][i])

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return short(labels[i])
