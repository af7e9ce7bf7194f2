"""Pairs of next-token distributions: two endpoints' logits at the same places of the same texts, token by token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.tasks.label_arrays import PAD
from edgekit.tasks.task import Answers


@dataclass(frozen=True)
class TokenPairs:
    """Figures of each of M places, as a reference and a candidate see it."""

    text: Array
    """int64 [M]: index of the text that the place is in."""
    divergence: Array
    """float64 [M]: Kullback-Leibler divergence of the candidate's distribution from the reference's, in nats."""
    same_top: Array
    """bool [M]: True where the same token has the largest logit in both."""
    likelihoods: tuple[Array, Array] | None
    """float64 [M] each: log-likelihood, in nats, that the reference and the candidate give the token that follows.

    None without labels.
    """

    @classmethod
    def of(cls, reference: Answers, candidate: Answers, labels: Array | None, text: Array) -> TokenPairs:
        """Pair logits [N, T, V] of both, at the places that count.

        labels: next tokens int [N, T'] with T' <= T, PAD where a place does not count, or None: then every place
        counts. text: int64 [N], index of the text that each row is of.
        """
        rows = list(_rows(reference, candidate, labels))
        counts = [len(row[0]) for row in rows]
        divergence, same, ours, theirs = (np.concatenate(column) for column in zip(*rows, strict=True))
        likelihoods = None if labels is None else (ours, theirs)
        return TokenPairs(np.repeat(text, counts), divergence, same.astype(bool), likelihoods)

    def __len__(self) -> int:
        return len(self.text)


def _rows(reference: Answers, candidate: Answers, labels: Array | None) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Yield the figures of one row after another, so that no float64 copy of all logits is held."""
    for i, (one, other) in enumerate(zip(reference, candidate, strict=True)):
        tokens = np.zeros(len(one), np.int64) if labels is None else labels[i]
        places = np.flatnonzero(tokens != PAD)
        ours, theirs = log_probabilities(one[places]), log_probabilities(other[places])
        chosen = np.arange(len(places)), tokens[places]
        same = one[places].argmax(axis=1) == other[places].argmax(axis=1)
        yield divergences(ours, theirs), same, ours[chosen], theirs[chosen]


def log_probabilities(logits: Array) -> Array:
    """Logarithm of the softmax, float64 [T, V]."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def divergences(reference: Array, candidate: Array) -> Array:
    """Kullback-Leibler divergence, float64 [T] in nats, of log-probabilities [T, V]: sum of p (log p - log q).

    Never negative: what rounding leaves below zero where both are the same is set to zero.
    """
    return np.asarray(np.maximum((np.exp(reference) * (reference - candidate)).sum(axis=1), 0.0))
