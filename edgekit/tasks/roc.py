"""Figures of a ranking by scores: area under the ROC curve, average precision, equal error rate."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array


class RocCurve:
    """Two kinds of items, positives and negatives, ranked by falling score; equal scores are one step of the curve.

    scores: float [N], higher for positives. positive: bool [N]. Every figure takes weights, float or int [N], such as
    the number of times that a bootstrap drew each item; by default 1 each.
    """

    def __init__(self, scores: Array, positive: Array) -> None:
        self._order = np.argsort(-scores, kind="stable")
        self._positive = np.asarray(positive, bool)[self._order]
        ranked = scores[self._order]
        self.thresholds = ranked[self._ends(ranked)]
        """Scores of the steps, falling: an item is accepted if its score is no smaller."""
        self._steps = self._ends(ranked)

    def auc(self, weights: Array | None = None) -> float:
        """Area under the curve: probability that a positive ranks above a negative, a tie is half. 0.5 without both."""
        true, false = self._counts(weights)
        if not true[-1] or not false[-1]:
            return 0.5
        return float(np.trapezoid(true, false) / (true[-1] * false[-1]))

    def average_precision(self, weights: Array | None = None) -> float:
        """Mean over the positives of the precision at their score, as in scikit-learn. 0 without positives."""
        true, false = self._counts(weights)
        if not true[-1]:
            return 0.0
        accepted = true[1:] + false[1:]
        precision = np.divide(true[1:], accepted, out=np.zeros(len(accepted)), where=accepted > 0)
        return float((np.diff(true) * precision).sum() / true[-1])

    def eer(self, weights: Array | None = None) -> float:
        """Equal error rate: false acceptance and false rejection where they are equal. 0.5 without both kinds."""
        true, false = self._counts(weights)
        if not true[-1] or not false[-1]:
            return 0.5
        accepted, rejected = false / false[-1], 1 - true / true[-1]
        k = self._crossing(accepted, rejected)
        before, after = accepted[k - 1] - rejected[k - 1], accepted[k] - rejected[k]
        return float(accepted[k - 1] - before / (after - before) * (accepted[k] - accepted[k - 1]))

    def false_acceptance_at(self, accepted: float, weights: Array | None = None) -> float:
        """Share of the negatives that is accepted where at least the share `accepted` of the positives is.

        With 0.95 it is the FPR at 95 % TPR. 1 without both kinds.
        """
        true, false = self._counts(weights)
        if not true[-1] or not false[-1]:
            return 1.0
        # A share of counts, such as 19 of 20, may lie an ulp below its decimal.
        step = int(np.argmax(true >= accepted * true[-1] * (1 - 1e-12)))
        return float(false[step] / false[-1])

    @property
    def eer_threshold(self) -> float:
        """Score from which items are accepted where the two errors are nearest to equal; the smallest without both."""
        true, false = self._counts(None)
        if not true[-1] or not false[-1]:
            return float(self.thresholds[-1])
        return float(self.thresholds[self._crossing(false / false[-1], 1 - true / true[-1]) - 1])

    def _counts(self, weights: Array | None) -> tuple[Array, Array]:
        """Positives and negatives accepted at each step, float [steps + 1]; none at the first."""
        drawn = np.ones(len(self._order)) if weights is None else np.asarray(weights, np.float64)[self._order]
        true, false = np.cumsum(drawn * self._positive), np.cumsum(drawn * ~self._positive)
        return np.append(0.0, true[self._steps]), np.append(0.0, false[self._steps])

    @staticmethod
    def _crossing(accepted: Array, rejected: Array) -> int:
        """First step, 1 or later, from which false acceptance is no smaller than false rejection."""
        return max(1, int(np.argmax(accepted >= rejected)))

    @staticmethod
    def _ends(ranked: Array) -> Array:
        """Last place of every run of equal scores."""
        return np.append(np.flatnonzero(np.diff(ranked) != 0), len(ranked) - 1)


def drawn_counts(indices: Array, count: int) -> Array:
    """Number of times that each of `count` samples is among `indices`, int64 [count]."""
    return np.bincount(indices, minlength=count)
