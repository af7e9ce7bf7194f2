"""Average precision of ranked answers that were matched once, over any part of the samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgekit.ir.measurement import Array

RECALLS = np.linspace(0, 1, 101)
"""Recalls at which the precision is read (COCO)."""


class RankedMatches:
    """Answers of one kind of match, sorted so that the average precision of any resample needs no sorting.

    The rules are those of COCO (`pycocotools.cocoeval`, `accumulate`) for objects of all sizes, none of them a crowd:
    the precision at 101 recalls, made non-increasing, averaged over the classes that have an object.
    """

    def __init__(self, samples: Array, classes: Array, scores: Array, hits: Array, objects: Array) -> None:
        """Sort the answers by class and falling score; equal scores stay in the order of the samples.

        samples, classes: int64 [D], of each answer. scores: float64 [D]. hits: bool [D], true if it is matched to an
        object. objects: int64 [N, classes], number of objects of each sample.
        """
        order = np.lexsort((-scores, classes))
        self._samples, self._classes, self._objects = samples[order], classes[order], objects
        self._hits = np.flatnonzero(hits[order])

    def at(self, counts: Array) -> float:
        """Mean average precision where sample i occurs `counts[i]` times, int64 [N].

        Without an object: 1 if there is no answer either, else 0.
        """
        weights = counts[self._samples]
        objects = counts @ self._objects
        present = np.flatnonzero(objects)
        if not len(present):
            return 0.0 if weights.any() else 1.0
        hits, at = self._hits, self._classes[self._hits]
        if not len(hits):
            return 0.0
        # Answers and hits so far, of the same class: the sums up to its start are taken off.
        answers = np.cumsum(weights) - _before(weights, self._classes)[self._classes]
        hit_weights = weights[hits]
        right = np.cumsum(hit_weights) - _before(hit_weights, at)[at]
        precision = right / np.maximum(answers[hits], 1)
        # Largest precision at this recall or more: a running maximum from the end, each class lifted above the next.
        lift = 2.0 * (at.max() - at)
        envelope = np.append(np.maximum.accumulate((precision + lift)[::-1])[::-1] - lift, 0.0)
        # Integers compare exactly: at a recall of r, at least r times the objects are hit.
        largest = int(objects.max()) + 2
        needed = _needed(objects[present])
        places = np.searchsorted(right + at * largest, needed + present[:, None] * largest)
        inside = places < np.searchsorted(at, present, side="right")[:, None]
        return float(np.where(inside, envelope[places], 0.0).mean())


def pooled_precision(rankings: Sequence[RankedMatches], samples: int) -> Callable[[Array], float]:
    """Make the average precision of the samples at some indices: the mean over rankings, one for each threshold."""

    def pooled(indices: Array) -> float:
        counts = np.bincount(indices, minlength=samples)
        return float(np.mean([ranking.at(counts) for ranking in rankings]))

    return pooled


def _before(weights: Array, classes: Array) -> Array:
    """Sum of the weights of all smaller classes, int64 [largest class + 1]. classes: int64 [D], ascending."""
    sums = np.bincount(classes, weights=weights, minlength=1).astype(np.int64)
    return np.concatenate([[0], np.cumsum(sums)[:-1]])


def _needed(objects: Array) -> Array:
    """Fewest hits, int64 [classes, 101], that reach each of RECALLS; 1 for a recall of 0, which the first hit reads."""
    count = objects[:, None]
    least = np.ceil(RECALLS * count).astype(np.int64)
    # Recalls are divisions in floating point: one hit fewer may be rounded to the recall, or this one below it.
    least = np.where((least - 1) / count >= RECALLS, least - 1, least)
    return np.maximum(np.where(least / count < RECALLS, least + 1, least), 1)
