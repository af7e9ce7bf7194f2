"""Temperature scaling (Guo et al. 2017): the number that logits are divided by so that probabilities are right."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.tasks.class_scores import ClassScores, Form, log_sum_exp, logits_of

LOWEST, HIGHEST = 0.05, 20.0
"""Temperatures between which the best one is searched for."""
STEPS = 60
"""Steps of the search; each leaves 0.62 of the interval, so that the result is right to eight digits."""
MOST = 50_000
"""Most decisions that a temperature is fitted on; of more, so many that are spread over them."""
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class FittedTemperature:
    """Temperature with the least negative log-likelihood."""

    value: float
    nll_before: float
    """Mean of the negative log-likelihood at temperature 1, in nats."""
    nll_after: float
    at_limit: bool
    """True if the best one lies outside LOWEST to HIGHEST: scores and labels do not fit, or nothing is wrong."""
    decisions: int
    """Number of decisions that it was fitted on."""


def fit_temperature(scores: ClassScores, form: Form) -> FittedTemperature:
    """Find the temperature of least negative log-likelihood by golden-section search over its inverse.

    The likelihood is convex in the inverse temperature, so there is one minimum. scores: with labels.
    """
    logits, truth = logits_of(scores, form), scores.truth
    assert truth is not None
    if len(logits) > MOST:
        spread = np.linspace(0, len(logits) - 1, MOST).astype(np.int64)
        logits, truth = logits[spread], truth[spread]
    low, high = 1 / HIGHEST, 1 / LOWEST
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    losses = [_nll(logits, truth, left, scores.several), _nll(logits, truth, right, scores.several)]
    for _ in range(STEPS):
        if losses[0] <= losses[1]:
            high, right = right, left
            left = high - _GOLDEN * (high - low)
            losses = [_nll(logits, truth, left, scores.several), losses[0]]
        else:
            low, left = left, right
            right = low + _GOLDEN * (high - low)
            losses = [losses[1], _nll(logits, truth, right, scores.several)]
    inverse = (low + high) / 2
    return FittedTemperature(
        value=1 / inverse,
        nll_before=_nll(logits, truth, 1.0, scores.several),
        nll_after=_nll(logits, truth, inverse, scores.several),
        at_limit=inverse < 1.001 / HIGHEST or inverse > 0.999 / LOWEST,
        decisions=len(logits),
    )


def _nll(logits: Array, truth: Array, inverse: float, several: bool) -> float:
    """Mean negative log-likelihood of the logits times `inverse`."""
    scaled = logits * inverse
    if several:
        return float(np.logaddexp(0.0, np.where(truth, -scaled, scaled)).mean())
    return float((log_sum_exp(scaled) - scaled[np.arange(len(scaled)), truth]).mean())
