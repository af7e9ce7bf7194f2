"""Scores of both endpoints under one condition, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.condition import Condition
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.metric import Scores
from edgekit.tasks.task import Task
from edgekit.tasks.task_over_time import of_sequences

Outputs = Mapping[str, Array]


@dataclass(frozen=True)
class CleanAnswers:
    """Outputs of both endpoints for the samples as they are."""

    reference: Outputs
    candidate: Outputs
    labels: Array
    task: Task

    @classmethod
    def of(
        cls, reference: Outputs, candidate: Outputs, labels: Array, task: Task, length: Array | None = None
    ) -> CleanAnswers:
        """Pair outputs [N, …] by name. length: steps of each sequence, where samples are some."""
        ours = {name: candidate[name] for name in reference}
        return cls(reference, ours, labels, of_sequences(task, length, labels))

    @property
    def scores(self) -> tuple[Scores, Scores] | None:
        """Scores of both; None without labels."""
        return self._scores(self.reference, self.candidate)

    def under(self, condition: Condition, reference: Outputs, candidate: Outputs) -> ConditionScores:
        """Score the outputs of both under a condition, [N, …] by name and finite."""
        ours = {name: candidate[name] for name in reference}
        answers = [self.task.answers(outputs) for outputs in (reference, ours)]
        clean = [self.task.answers(outputs) for outputs in (self.reference, self.candidate)]
        return ConditionScores(
            condition=condition,
            scores=self._scores(reference, ours),
            agreement=float(np.mean(self.task.agreement(answers[0], answers[1]))),
            stays=(self.task.agreement(clean[0], answers[0]), self.task.agreement(clean[1], answers[1])),
        )

    def _scores(self, reference: Outputs, candidate: Outputs) -> tuple[Scores, Scores] | None:
        if not is_labelled(self.labels):
            return None
        theirs, ours = (self.task.score(self.task.answers(one), self.labels) for one in (reference, candidate))
        return theirs, ours


@dataclass(frozen=True)
class ConditionScores:
    """Scores of both endpoints on the same N perturbed samples."""

    condition: Condition
    scores: tuple[Scores, Scores] | None
    """Scores of the reference and of the candidate; None without labels."""
    agreement: float
    """Mean agreement of the two on these samples, in [0, 1]."""
    stays: tuple[Array, Array]
    """float64 [N] of the reference and of the candidate: agreement of the answer with its own to the clean sample."""
