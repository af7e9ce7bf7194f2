"""Rivals of labels: classes that the reference holds for more probable than a sample's label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.bootstrap import POOLED_DRAWS, POOLED_RESAMPLES, SEED


@dataclass(frozen=True)
class Rivals:
    """Pairs of a sample and a class that is more probable than its label, of N samples and C classes."""

    label: Array
    """int64 [N]"""
    own: Array
    """float64 [N]: probability of the label."""
    classes: int
    sample: Array
    """int64 [K]: sample of each pair, in ascending order."""
    rival: Array
    """int64 [K]: class of each pair."""
    probability: Array
    """float64 [K]: probability of that class."""

    @classmethod
    def of(cls, probabilities: Array, label: Array) -> Rivals:
        """Rivals of labels int64 [N] by probabilities float64 [N, C]."""
        own = probabilities[np.arange(len(label)), label]
        sample, rival = np.nonzero(probabilities > own[:, None])
        return cls(label, own, probabilities.shape[1], sample, rival, probabilities[sample, rival])

    def thresholds(self, weights: Array | None = None) -> Array:
        """Mean probability of each class among the samples labelled so, float64 [C]; infinite for one without samples.

        weights: float64 [N], how often each sample counts; once if left out.
        """
        counts = np.bincount(self.label, weights, minlength=self.classes)
        sums = np.bincount(self.label, self.own if weights is None else self.own * weights, minlength=self.classes)
        return np.where(counts > 0, sums / np.where(counts > 0, counts, 1), np.inf)

    def doubted(self, thresholds: Array) -> Array:
        """True, bool [N], where a rival reaches the threshold of its class: the label looks wrong."""
        doubted = np.zeros(len(self.label), bool)
        doubted[self.sample[self.probability >= thresholds[self.rival]]] = True
        return doubted


def design_effect(probabilities: Array, label: Array, groups: Array) -> float:
    """Variance of the share of doubted labels, over that of a share of N independent samples; 1 or more (Kish 1965).

    Thresholds are estimated of the same samples, so that the share varies more than its count says, and samples of one
    group are alike. Both are had by a bootstrap of whole groups that estimates the thresholds anew. The effect does not
    depend on the number of samples: of more than `POOLED_DRAWS`, random groups of as many stand for all. Where no
    label is doubted, or each is, nothing tells how alike a group is, and a group counts as one sample.

    probabilities: float64 [N, C]. label, groups: int64 [N]; a number for each sample where they are independent.
    """
    rng = np.random.default_rng(SEED)
    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(label) > POOLED_DRAWS:
        order = rng.permutation(len(sizes))
        kept = np.zeros(len(sizes), bool)
        kept[order[: 1 + np.searchsorted(sizes[order].cumsum(), POOLED_DRAWS)]] = True
        chosen = kept[place]
        probabilities, label = probabilities[chosen], label[chosen]
        _, place, sizes = np.unique(place[chosen], return_inverse=True, return_counts=True)
    rivals = Rivals.of(probabilities, label)
    share = float(rivals.doubted(rivals.thresholds()).mean())
    if share in (0, 1):
        return len(label) / len(sizes)
    shares = np.empty(POOLED_RESAMPLES)
    for i in range(POOLED_RESAMPLES):
        weights = np.bincount(rng.integers(0, len(sizes), len(sizes)), minlength=len(sizes))[place].astype(np.float64)
        doubted = rivals.doubted(rivals.thresholds(weights))
        shares[i] = weights[doubted].sum() / weights.sum()
    return max(1.0, float(shares.var()) * len(label) / (share * (1 - share)))
