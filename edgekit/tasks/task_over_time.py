"""Task of sequences: a task for single samples, applied to the last step of each, or to every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.class_scores import ClassScores
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.secondary import SecondaryFigure
from edgekit.tasks.task import Answers, Outputs, Task, scores_classes

BY_STEP = "where each step of each sequence counts as a sample"
"""End of an error of a task that was given steps."""
MARGIN = 0.05
"""Change of a sequence's score above which it counts as flipped, where the score is a mean over steps."""


def of_sequences(task: Task, length: Array | None, labels: Array) -> Task:
    """Task of these samples: `task` itself for single samples, its form for sequences where there are lengths.

    length: steps of each sequence, int64 [N], or None. labels: one a sequence, one a step, [N, T, …], or none at all:
    then every step counts.
    """
    if length is None:
        return task
    per_step = labels.ndim > 1 and (not is_labelled(labels) or labels.shape[1] == length.max())
    return TaskOverTime(task, length, per_step)


@dataclass(frozen=True)
class TaskOverTime:
    """Task whose outputs are of sequences, [N, T, …]: the sequence is what is scored, as its steps are not independent.

    With a label a step, its score and agreement are means over its steps; with one label, those of its last step.
    """

    step: Task
    """The task of one step."""
    length: Array
    per_step: bool

    @property
    def metric(self) -> Metric:
        return self.step.metric

    @property
    def margin(self) -> float:
        return max(MARGIN, self.step.margin) if self.per_step else self.step.margin

    @property
    def trains_on_labels(self) -> bool:
        """False: nothing is trained on sequences."""
        return False

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        return self.step.collect(labels, classes)

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        try:
            self.step.check(self._outputs(outputs), None if labels is None else self._view(labels, self.per_step))
        except DataError as error:
            if not self.per_step:
                raise
            raise DataError(f"{error}, {BY_STEP}", hint=error.hint) from error

    def class_count(self, outputs: Outputs) -> int | None:
        return self.step.class_count(self._outputs(outputs))

    def class_scores(self, outputs: Outputs, labels: Array | None) -> ClassScores | None:
        """Scores of all steps, each a decision of its sequence, or of the last step of each sequence."""
        if not scores_classes(self.step):
            return None
        view = None if labels is None else self._view(labels, self.per_step)
        scores = self.step.class_scores(self._outputs(outputs), view)
        if scores is None or not self.per_step:
            return scores
        return replace(scores, sample=np.repeat(np.arange(len(self.length)), self.length)[scores.sample])

    def answers(self, outputs: Outputs) -> Answers:
        """Answers to all steps, one after another, or to the last step of each sequence."""
        return self.step.answers(self._outputs(outputs))

    def score(self, answers: Answers, labels: Array) -> Scores:
        scores = self.step.score(answers, self._view(labels, self.per_step))
        if not self.per_step:
            return scores
        pooled = scores.pooled
        over_sequences = None if pooled is None else lambda indices: pooled(self._steps(indices))
        return Scores(step_means(scores.each, self.length), over_sequences)

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        agreements = self.step.agreement(reference, candidate)
        return step_means(agreements, self.length) if self.per_step else agreements

    def secondary(self, reference: Answers, candidate: Answers, labels: Array | None) -> Sequence[SecondaryFigure]:
        """Figures of the task over all steps that are scored."""
        view = None if labels is None else self._view(labels, self.per_step)
        return self.step.secondary(reference, candidate, view)

    def view(self, labels: Array) -> Array:
        """Labels of the steps that are scored, [steps, …]."""
        return self._view(labels, self.per_step)

    def distinct(self, answers: Answers) -> int:
        return self.step.distinct(answers)

    def chance(self, labels: Array) -> float | None:
        return self.step.chance(self._view(labels, self.per_step))

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        """Text of the answer to the last step of sequence `i`."""
        return self.step.show(answers, self._last(i), classes)

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return self.step.show_label(self._view(labels, self.per_step), self._last(i), classes)

    def _last(self, i: int) -> int:
        return int(self.length[: i + 1].sum()) - 1 if self.per_step else i

    def _steps(self, indices: Array) -> Array:
        """Indices of the steps of the sequences at `indices`."""
        ends = np.cumsum(self.length)
        return np.concatenate([np.arange(ends[i] - self.length[i], ends[i]) for i in indices])

    def _outputs(self, outputs: Outputs) -> Outputs:
        return {name: self._view(output, True) for name, output in outputs.items()}

    def _view(self, array: Array, timed: bool) -> Array:
        """Rows of an array of sequences that are scored. timed: it has a time axis."""
        if not timed:
            return array
        return steps(array, self.length) if self.per_step else last_steps(array, self.length)


def inside(length: Array, count: int) -> Array:
    """Mask bool [N, count]: True for the steps of each sequence, False for its padding."""
    mask: Array = np.arange(count) < length[:, None]
    return mask


def steps(array: Array, length: Array) -> Array:
    """Steps of all sequences of [N, T, …], one after another and without padding: [steps, …]."""
    joined: Array = array[inside(length, array.shape[1])]
    return joined


def last_steps(array: Array, length: Array) -> Array:
    """Last step of each sequence of [N, T, …]: [N, …]."""
    last: Array = array[np.arange(len(array)), length - 1]
    return last


def step_means(values: Array, length: Array) -> Array:
    """Mean over each sequence, float64 [N], of values [steps] that follow one another as `steps` gives them."""
    starts = np.cumsum(length) - length
    means: Array = np.add.reduceat(values.astype(np.float64), starts) / length
    return means
