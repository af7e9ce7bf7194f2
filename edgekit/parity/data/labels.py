"""Labels that look wrong: the reference is sure of another class (confident learning, Northcutt et al. 2021)."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from edgekit.ir.measurement import Array
from edgekit.ir.record import Record

SHOWN = 10
"""Suspicious samples that a report names."""


class SuspiciousLabel(Record):
    """A sample whose label the reference contradicts with confidence."""

    sample: int
    """Index of the sample in the measurement."""
    label: int
    suggested: int
    """Class that the reference is sure of."""
    probability: float = Field(ge=0, le=1)
    """Probability that the reference gives that class."""


class LabelCheck(Record):
    """Labels of the evaluation set that look wrong to the reference."""

    samples: int
    """Samples whose labels were checked."""
    suspicious: int
    share: float
    """`suspicious` over `samples`."""
    thresholds: tuple[float | None, ...]
    """Mean probability, by class, of that class among the samples labelled so; null for a class without samples."""
    examples: tuple[SuspiciousLabel, ...] = ()
    """The most probable ones."""


def check_labels(scores: Array, labels: Array) -> LabelCheck | None:
    """Check labels int [N] by the reference's scores [N, classes], logits or probabilities.

    A class counts for a sample if its probability reaches the class's threshold, the mean probability of the class
    among the samples labelled so; the label looks wrong if another class counts and is more probable. Thresholds by
    class make up for a network that is too sure, or surer of some classes. Samples whose scores are NaN or infinite
    are left out. None where nothing can be told: no such scores, fewer than two classes among the labels.
    """
    if scores.ndim != 2 or labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) != len(scores):
        return None
    places = np.flatnonzero(np.isfinite(scores).all(axis=1) & (labels >= 0) & (labels < scores.shape[1]))
    given = labels[places]
    if len(np.unique(given)) < 2:
        return None
    probabilities = _probabilities(np.asarray(scores[places], np.float64))
    own = probabilities[np.arange(len(given)), given]
    counts = np.bincount(given, minlength=scores.shape[1])
    sums = np.bincount(given, own, minlength=scores.shape[1])
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    counted = np.where(probabilities >= thresholds, probabilities, -1)
    suggested = counted.argmax(axis=1)
    sure = counted.max(axis=1)
    wrong = np.flatnonzero((sure >= 0) & (suggested != given) & (sure > own))
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:SHOWN]
    return LabelCheck(
        samples=len(given),
        suspicious=len(wrong),
        share=len(wrong) / len(given),
        thresholds=tuple(round(float(each), 6) if np.isfinite(each) else None for each in thresholds),
        examples=tuple(
            SuspiciousLabel(
                sample=int(places[i]),
                label=int(given[i]),
                suggested=int(suggested[i]),
                probability=round(float(sure[i]), 6),
            )
            for i in worst
        ),
    )


def _probabilities(scores: Array) -> Array:
    """Rows that are probabilities as they are, others by softmax."""
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return np.clip(scores, 0, 1)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
