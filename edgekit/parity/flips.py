"""Flips: samples that the two endpoints do not answer alike, with their names, margins and scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.tasks.task import Answers, Outputs, Task

Change = Literal["lost", "gained", "changed"]
"""`lost`: the reference does better; `gained`: the candidate does; `changed`: another answer, and neither is better."""


@dataclass(frozen=True)
class Flip:
    """One sample that is answered otherwise."""

    sample: int
    """Index in the measurement."""
    change: Change
    label: str | None
    """Label in words; None where the sample has none."""
    reference: str
    """Answer of the reference in words."""
    candidate: str
    reference_score: float | None
    """Score of the reference's answer: 1 or 0 where answers are right or wrong; None without a label."""
    candidate_score: float | None
    reference_margin: float | None
    """Highest score of a class minus the second, in the output's unit; None where the task has no classes."""
    candidate_margin: float | None


@dataclass(frozen=True)
class PairedOutputs:
    """Outputs of both endpoints to the same samples, as the task reads them."""

    task: Task
    outputs: tuple[Outputs, Outputs]
    """Outputs of the reference and of the candidate, [N, …] by name."""
    answers: tuple[Answers, Answers]
    labels: Array | None
    """Labels [N, …]; None without any."""
    classes: Sequence[str] = ()

    def flips(self, paired: PairedAnswers, indices: Array) -> Iterator[Flip]:
        """Describe the samples at `indices`, in that order."""
        margins = tuple(_margins(self.task, side, indices) for side in self.outputs)
        for place, i in enumerate(indices.tolist()):
            scores = (None, None) if paired.scores is None else tuple(float(side.each[i]) for side in paired.scores)
            yield Flip(
                sample=i,
                change=_change(paired, i),
                label=None if self.labels is None else self.task.show_label(self.labels, i, self.classes),
                reference=self.task.show(self.answers[0], i, self.classes),
                candidate=self.task.show(self.answers[1], i, self.classes),
                reference_score=scores[0],
                candidate_score=scores[1],
                reference_margin=None if margins[0] is None else float(margins[0][place]),
                candidate_margin=None if margins[1] is None else float(margins[1][place]),
            )


def changed_samples(paired: PairedAnswers) -> Array:
    """Indices int64 [K] of all samples that flipped, or that the two do not answer alike."""
    return np.union1d(paired.flipped, paired.disagreements)


def _change(paired: PairedAnswers, i: int) -> Change:
    if paired.scores is None:
        return "changed"
    difference = float(paired.scores[0].each[i] - paired.scores[1].each[i])
    if abs(difference) <= paired.margin:
        return "changed"
    return "lost" if difference > 0 else "gained"


def _margins(task: Task, outputs: Mapping[str, Array], indices: Array) -> Array | None:
    """Margins float64 [K] of the samples at `indices`: how far the first class is ahead of the second."""
    scores = next(iter(outputs.values()))
    if task.class_count(outputs) is None or scores.ndim != 2 or scores.shape[1] < 2:
        return None
    best = np.partition(scores[indices].astype(np.float64), -2, axis=1)[:, -2:]
    return np.asarray(best[:, 1] - best[:, 0])
