"""Decisions of a model with the probability that it gives them, and their bins, errors and losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.tasks.class_scores import ClassScores, Form, log_probabilities, logits_of

BINS = 15
"""Number of bins, as in Guo et al. (2017)."""


@dataclass(frozen=True)
class Decisions:
    """Decisions with their outcomes. Arrays are float64 [M] but for `sample`, int64 [M].

    Of a softmax a decision is the answer to a sample, its confidence the largest probability, its outcome 1 if it is
    right. Where each class is a decision of its own, all of them are: the confidence is the class's probability, the
    outcome 1 if the class is there.
    """

    confidence: Array
    outcome: Array
    brier: Array
    """Squared error of the probabilities, summed over the classes of a softmax: 0 to 2; else 0 to 1 (Brier 1950)."""
    nll: Array
    """Negative logarithm of the probability of the truth, in nats."""
    sample: Array


def decisions(scores: ClassScores, form: Form, temperature: float = 1.0) -> Decisions:
    """Decisions of scores that have labels. temperature: what the logits are divided by."""
    truth = scores.truth
    assert truth is not None
    logs = log_probabilities(logits_of(scores, form) / temperature, scores.several)
    shares = np.exp(logs)
    if scores.several:
        flags = truth.astype(np.float64)
        opposite = log_probabilities(-logits_of(scores, form) / temperature, True)
        return Decisions(
            confidence=shares.ravel(),
            outcome=flags.ravel(),
            brier=((shares - flags) ** 2).ravel(),
            nll=-np.where(flags > 0, logs, opposite).ravel(),
            sample=np.repeat(scores.sample, shares.shape[1]),
        )
    rows = np.arange(len(shares))
    best = shares.argmax(axis=1)
    right = shares[rows, truth]
    return Decisions(
        confidence=shares[rows, best],
        outcome=(best == truth).astype(np.float64),
        brier=(shares**2).sum(axis=1) - 2 * right + 1,
        nll=-logs[rows, truth],
        sample=scores.sample,
    )


def width_bins(confidence: Array) -> Array:
    """Bin of each confidence, int64 [M]: BINS of equal width, each without its lower edge."""
    return np.asarray(np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1))


def mass_bins(confidence: Array) -> Array:
    """Bin of each confidence, int64 [M]: BINS that hold as many decisions each (adaptive; Nguyen & O'Connor 2015).

    Equal confidences, of which an int8 model has many, are in one bin, so that the order of samples decides nothing.
    """
    edges = np.quantile(confidence, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, confidence, side="left"))


def expected_error(confidence: Array, outcome: Array, bins: Array) -> float:
    """Expected calibration error (Guo et al. 2017), in [0, 1]: |outcome - confidence| of the bins, by their size."""
    gaps = np.bincount(bins, outcome - confidence, BINS)
    return float(np.abs(gaps).sum() / len(confidence))
