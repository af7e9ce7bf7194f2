"""Confusion of classes: how often each label is answered with each class, by both endpoints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from edgekit.ir.measurement import Array
from edgekit.ir.record import Record
from edgekit.tasks.classification import Classification
from edgekit.tasks.task import Answers, Task

MOST_CELLS = 2_500
"""Cells that a record holds: all of 50 classes, however the answers fall."""


class ConfusionCell(Record):
    """Number of the samples with one label that each endpoint answers with one class."""

    label: int = Field(ge=0)
    """Index of the class that is right."""
    answer: int = Field(ge=0)
    """Index of the class that is answered."""
    reference: int = Field(ge=0)
    candidate: int = Field(ge=0)


class Confusion(Record):
    """Confusion matrix of both endpoints: the cells that are not empty on both sides."""

    classes: int
    """Number of classes: the largest index of a label or an answer, plus one; at least the number of their names."""
    names: tuple[str, ...]
    """Names of the classes by index; empty where the project states none."""
    cells: tuple[ConfusionCell, ...]
    """Cells by label, then by answer; of too many, those that changed most."""
    left_out: int = 0
    """Cells beyond the limit, which are not here."""


def confusion(
    task: Task, answers: tuple[Answers, Answers], labels: Array | None, names: Sequence[str]
) -> Confusion | None:
    """Confusion of the reference's and the candidate's `answers` to int [N] labels.

    None without labels, and for a task whose answer is no single class.
    """
    if labels is None or not isinstance(task, Classification):
        return None
    sides = [np.asarray(side)[:, 0].astype(np.int64) for side in answers]
    count = int(max(len(names), labels.max() + 1, *(side.max() + 1 for side in sides)))
    keys = [labels.astype(np.int64) * count + side for side in sides]
    places, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    reference = np.bincount(inverse[: len(labels)], minlength=len(places))
    candidate = np.bincount(inverse[len(labels) :], minlength=len(places))
    most = np.lexsort((-(reference + candidate), -np.abs(candidate - reference)))[:MOST_CELLS]
    cells = tuple(
        ConfusionCell(
            label=int(places[i] // count),
            answer=int(places[i] % count),
            reference=int(reference[i]),
            candidate=int(candidate[i]),
        )
        for i in np.sort(most)
    )
    return Confusion(classes=count, names=tuple(names), cells=cells, left_out=len(places) - len(cells))
