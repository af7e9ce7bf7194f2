"""Counts of one window: int64 a bin, and no class that fewer than five answers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .bins import FIXED, FrozenBins
from .signals import answer_signals, input_names, input_values, output_signals

if TYPE_CHECKING:
    from ..model.tensors import Array

FEWEST = 5
"""A class that was answered less often is not told: its rows are among the few."""


class AnswerWindow:
    """Counts of the answers of a window, int64. every: one of so many requests has its inputs measured."""

    def __init__(self, bins: FrozenBins, every: int) -> None:
        self.every = every
        self.rows = self.above = self.confidence = self.squares = self.pairs = self.changes = self.unusable = 0
        self.input_rows = 0
        self._bins = bins
        self._edges = {name: np.asarray(each.edges) for name, each in bins.signals.items()}
        self._counts = {name: np.zeros(len(each.counts), np.int64) for name, each in bins.signals.items()}
        self._classes = np.zeros(len(bins.classes), np.int64)
        self._measured: list[list[Array]] = [[] for _ in bins.inputs]
        self._names: dict[str, list[str]] = {}

    def add_scores(self, scores: Array) -> None:
        """Count rows of a classifier's scores, [N, classes], in the order in which they were answered."""
        rule = self._bins.score
        assert rule  # a window of a model without scores is given none
        self.rows += len(scores)
        usable = np.isfinite(scores).all(axis=1)
        if not usable.all():
            self.unusable += int((~usable).sum())
            scores = scores[usable]
        if not len(scores):
            return
        answers = answer_signals(scores, rule)
        self._classes += np.bincount(answers.predicted, minlength=len(self._classes))
        above = answers.confidence >= rule.threshold
        self.above += int(above.sum())
        # Neighbours in time that differ tell how many independent samples so many rows are.
        self.pairs += len(above) - 1
        self.changes += int((above[1:] != above[:-1]).sum())
        self.confidence += int(np.rint(answers.confidence * FIXED).astype(np.int64).sum())
        self.squares += int(np.rint(answers.confidence**2 * FIXED).astype(np.int64).sum())
        self._add(answers.signals)

    def add_values(self, values: list[Array], names: tuple[str, ...]) -> None:
        """Count the ranges of outputs, [N, …] each, of a model without scores."""
        self.rows += len(values[0]) if values else 0
        for array, name in zip(values, names):
            self._add(output_signals(array, name))

    def add_inputs(self, columns: list[Array]) -> None:
        """Measure the samples of a request, [N, …] an input, in the order of the bins' inputs; counted later."""
        self.input_rows += len(columns[0]) if columns else 0
        for rows, stated, measured in zip(columns, self._bins.inputs, self._measured):
            if not measured:
                self._names[stated.name] = input_names(rows, stated)
            measured.append(input_values(rows, stated))

    def count_inputs(self) -> None:
        """Count the samples that were measured."""
        for stated, measured in zip(self._bins.inputs, self._measured):
            if measured:
                values = np.concatenate(measured).astype(np.float64)
                self._add(dict(zip(self._names[stated.name], values.T)))
                measured.clear()

    def _add(self, signals: Any) -> None:
        for name, values in signals.items():
            counts = self._counts.get(name)
            if counts is None:
                continue
            usable = values if np.isfinite(values).all() else values[np.isfinite(values)]
            counts += np.bincount(self._edges[name].searchsorted(usable, "right"), minlength=len(counts))

    def document(self) -> dict[str, Any]:
        """Form in a file. Classes that were answered fewer than FEWEST times are joined into `few`."""
        self.count_inputs()
        told = {str(k): int(count) for k, count in enumerate(self._classes) if count >= FEWEST}
        return {
            "rows": self.rows,
            "every": self.every,
            "input_rows": self.input_rows,
            "above": self.above,
            "confidence": self.confidence,
            "squares": self.squares,
            "pairs": self.pairs,
            "changes": self.changes,
            "unusable": self.unusable,
            "classes": told,
            "few": int(self._classes.sum()) - sum(told.values()),
            "signals": {name: counts.tolist() for name, counts in self._counts.items() if counts.any()},
        }
