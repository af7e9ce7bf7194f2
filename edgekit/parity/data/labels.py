"""Labels that look wrong: the reference is sure of another class (confident learning, Northcutt et al. 2021)."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from edgekit.ir.measurement import Array
from edgekit.ir.record import Record
from edgekit.parity.data.rivals import Rivals, design_effect
from edgekit.parity.statistics.clusters import few_groups_factor
from edgekit.parity.statistics.estimate import Estimate
from edgekit.parity.statistics.proportions import wilson

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
    design_effect: float | None = Field(default=None, ge=1)
    """Variance of `share` over that of a share of so many independent samples: the thresholds are of the same samples,
    and those of one group are alike. Left out in reports of older versions."""
    clusters: int | None = None
    """Groups of the samples; left out where samples are independent."""

    def interval(self, confidence: float) -> Estimate:
        """The share between two one-sided bounds, each at `confidence`: Wilson's, of the samples that are independent.

        One group alone says nothing: then the bounds are 0 and 1.
        """
        if self.clusters == 1:
            return Estimate(self.share, 0.0, 1.0)
        independent = self.samples / (self.design_effect or 1.0)
        if self.clusters is not None:
            independent /= few_groups_factor(confidence, self.clusters) ** 2
        return wilson(self.share, independent, 2 * confidence - 1)


def check_labels(scores: Array, labels: Array, groups: Array | None = None) -> LabelCheck | None:
    """Check labels int [N] by the reference's scores [N, classes], logits or probabilities.

    groups: int64 [N], the group of each sample; None where samples are independent.

    A class counts for a sample if its probability reaches the class's threshold, the mean probability of the class
    among the samples labelled so; the label looks wrong if another class counts and is more probable. Thresholds by
    class make up for a network that is too sure, or surer of some classes. Samples whose scores are NaN or infinite
    are left out. None where nothing can be told: no such scores, fewer than two classes among the labels.
    """
    if scores.ndim != 2 or labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) != len(scores):
        return None
    places = np.flatnonzero(np.isfinite(scores).all(axis=1) & (labels >= 0) & (labels < scores.shape[1]))
    given = labels[places].astype(np.int64)
    if len(np.unique(given)) < 2:
        return None
    probabilities = _probabilities(np.asarray(scores[places], np.float64))
    rivals = Rivals.of(probabilities, given)
    thresholds = rivals.thresholds()
    wrong = np.flatnonzero(rivals.doubted(thresholds))
    counted = np.where(probabilities[wrong] >= thresholds, probabilities[wrong], -1)
    order = np.argsort(-counted.max(axis=1), kind="stable")[:SHOWN]
    group = np.arange(len(given)) if groups is None else groups[places]
    return LabelCheck(
        samples=len(given),
        suspicious=len(wrong),
        share=len(wrong) / len(given),
        thresholds=tuple(round(float(each), 6) if np.isfinite(each) else None for each in thresholds),
        examples=tuple(
            SuspiciousLabel(
                sample=int(places[wrong[i]]),
                label=int(given[wrong[i]]),
                suggested=int(counted[i].argmax()),
                probability=round(float(counted[i].max()), 6),
            )
            for i in order
        ),
        design_effect=round(design_effect(probabilities, given, group), 4),
        clusters=None if groups is None else len(np.unique(group)),
    )


def _probabilities(scores: Array) -> Array:
    """Rows that are probabilities as they are, others by softmax."""
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-3):
        return np.clip(scores, 0, 1)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
