"""Scores of classes behind the answers of a task: the probabilities that follow from them, and the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekit.ir.measurement import Array

Form = Literal["logits", "probabilities"]
SUM_TOLERANCE = 1e-3
"""Largest difference from 1 of the sum of a float network's probabilities."""
LEAST_PROBABILITY = float(np.finfo(np.float32).eps)
"""Smallest probability that a logarithm is taken of, where the output holds probabilities: float32's resolution."""


@dataclass(frozen=True)
class ClassScores:
    """Scores of decisions between classes: the samples of a classifier, the places of a tagger."""

    values: Array
    """float [M, classes], or whole numbers of an output that holds no scores."""
    truth: Array | None
    """Class of each decision, int64 [M]; with `several` a flag for each class, bool [M, classes]. None without
    labels."""
    sample: Array
    """Sample that each decision is of, int64 [M], ascending: decisions of one sample are not independent."""
    several: bool = False
    """True if each class is a decision of its own (sigmoid); False if one of the classes is right (softmax)."""
    form: Form | None = None
    """Form that the project states; None where it states none."""
    temperature: float | None = None
    """Temperature that the model's logits are divided by already; None for none."""

    @property
    def samples(self) -> int:
        """Number of samples that have a decision."""
        return len(np.unique(self.sample))


def whole_samples(values: Array) -> Array:
    """Sample of each decision, int64 [N], where a sample is one decision."""
    return np.arange(len(values))


def refusal(scores: ClassScores) -> str | None:
    """Reason why no probabilities follow from these scores, of the float network; None where they do."""
    values = scores.values
    if values.dtype.kind != "f":
        return f"the output holds {values.dtype}, which are answers and no scores"
    if not len(values):
        return "no decision has a label"
    if not np.isfinite(values).all():
        rows = ~np.isfinite(values).all(axis=1)
        return f"the scores of {rows.sum():,} of {len(values):,} decisions hold NaN or infinite values"
    if np.isin(values, (0.0, 1.0)).all():
        return "the output holds 0 and 1 only, which are answers and no scores"
    return None


def form_of(scores: ClassScores) -> Form:
    """Form of the scores: as the project states it, else told by the values, which are to be the float network's.

    Probabilities lie in [0, 1], and those of a softmax add up to 1; everything else is logits.
    """
    if scores.form:
        return scores.form
    values = scores.values
    bounded = bool((values >= 0).all() and (values <= 1).all())
    adds_up = scores.several or bool((np.abs(values.sum(axis=1) - 1) < SUM_TOLERANCE).all())
    return "probabilities" if bounded and adds_up else "logits"


def logits_of(scores: ClassScores, form: Form) -> Array:
    """Logits float64 [M, classes] of the scores, up to a constant a row for a softmax: of probabilities, logarithms."""
    values = scores.values.astype(np.float64)
    if form == "logits":
        return values
    shares = np.clip(values, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY if scores.several else 1.0)
    return np.asarray(np.log(shares) - (np.log1p(-shares) if scores.several else 0.0))


def log_probabilities(logits: Array, several: bool) -> Array:
    """Logarithms of the probabilities, float64 [M, classes]: of a softmax, or of a sigmoid for each class."""
    if several:
        return np.asarray(-np.logaddexp(0.0, -logits))
    return np.asarray(logits - log_sum_exp(logits)[:, None])


def log_sum_exp(logits: Array) -> Array:
    """Logarithm of the sum of the exponentials of each row, float64 [M]."""
    largest = logits.max(axis=1)
    return np.asarray(largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1)))
