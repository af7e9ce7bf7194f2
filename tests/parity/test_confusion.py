"""Confusion of classes by both endpoints."""

from __future__ import annotations

import numpy as np

from edgekit.parity.confusion import MOST_CELLS, confusion
from edgekit.report.sections.charts import MatrixChart
from edgekit.report.sections.confusion import confusion_section
from edgekit.tasks.classification import Classification
from edgekit.tasks.regression import Regression

LABELS = np.array([0, 0, 1, 1, 2])
ANSWERS = (np.array([[0], [0], [1], [2], [2]]), np.array([[0], [1], [1], [2], [2]]))


def test_every_cell_counts_both_sides() -> None:
    record = confusion(Classification(), ANSWERS, LABELS, ("cat", "dog", "<b>"))
    assert record
    assert [(cell.label, cell.answer, cell.reference, cell.candidate) for cell in record.cells] == [
        (0, 0, 2, 1), (0, 1, 0, 1), (1, 1, 1, 1), (1, 2, 1, 1), (2, 2, 1, 1),
    ]  # fmt: skip
    assert sum(cell.reference for cell in record.cells) == sum(cell.candidate for cell in record.cells) == len(LABELS)


def test_a_task_of_other_answers_and_samples_without_labels_have_none() -> None:
    assert confusion(Regression(), ANSWERS, LABELS, ()) is None
    assert confusion(Classification(), ANSWERS, None, ()) is None


def test_of_too_many_cells_those_that_changed_most_are_kept() -> None:
    labels = np.arange(3000)
    reference = labels[:, None].copy()
    candidate = reference.copy()
    candidate[7] = 8
    record = confusion(Classification(), (reference, candidate), labels, ())
    assert record
    assert len(record.cells) == MOST_CELLS
    assert record.left_out == 3001 - MOST_CELLS
    changed = [(cell.label, cell.answer) for cell in record.cells if cell.reference != cell.candidate]
    assert changed == [(7, 7), (7, 8)]


def test_the_section_draws_few_classes_and_names_what_changed() -> None:
    record = confusion(Classification(), ANSWERS, LABELS, ("cat", "dog", "<b>"))
    section = confusion_section(record)
    assert section
    assert section.rows == (("cat", "cat", "2", "1", "-1"), ("cat", "dog", "0", "1", "+1"))
    assert section.first == ("Most often 'cat' is answered as 'dog': 1 time, 0 by the reference.",)
    assert isinstance(section.picture, MatrixChart)
    assert [[cell.count for cell in row] for row in section.picture.rows] == [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert confusion_section(None) is None
