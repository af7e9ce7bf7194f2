"""Precision, recall and F1 of flags, over any part of the samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.ir.measurement import Array


def f1(true_positives: Array, false_positives: Array, false_negatives: Array) -> Array:
    """F1 of counts of any shape: 2 TP / (2 TP + FP + FN), and 1 where there is nothing to answer and no answer."""
    whole = 2 * true_positives + false_positives + false_negatives
    return np.where(whole > 0, 2 * true_positives / np.maximum(whole, 1), 1.0)


def pooled_f1(answers: Array, truth: Array, macro: bool = True) -> Callable[[Array], float]:
    """Make the F1 of the samples at some indices.

    answers, truth: bool [N, classes]. macro: mean of the F1 of the classes that occur among answers or labels of these
    samples, as in scikit-learn; else the F1 over all flags together.
    """
    counts = np.stack([answers & truth, answers & ~truth, ~answers & truth]).astype(np.int64)

    def pooled(indices: Array) -> float:
        hits, extra, missed = counts[:, indices].sum(axis=1)
        if not macro:
            return float(f1(hits.sum(), extra.sum(), missed.sum()))
        occurs = hits + extra + missed > 0
        return float(f1(hits, extra, missed)[occurs].mean()) if occurs.any() else 1.0

    return pooled
