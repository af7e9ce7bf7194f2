"""Answers of two endpoints to the same samples: loss of the metric, agreement and flips, with their intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.bootstrap import paired_bootstrap, pooled_bootstrap
from edgekit.parity.statistics.clusters import cluster_bootstrap, group_count, pooled_cluster_bootstrap
from edgekit.parity.statistics.estimate import Estimate, between
from edgekit.parity.statistics.proportions import mcnemar_mid_p, mcnemar_p, tango, wilson
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.metric import SHARE, Metric, Scores
from edgekit.tasks.task import Answers, Task


@dataclass(frozen=True, kw_only=True)
class PairedAnswers:
    """Answers of a reference and of a candidate, compared sample by sample."""

    metric: Metric
    scores: tuple[Scores, Scores] | None
    """Scores of the reference and of the candidate; None where the samples have no labels."""
    agreements: Array
    """float64 [N]: agreement of the two on each sample, in [0, 1]."""
    margin: float
    """Difference of two scores of one sample above which its answer counts as flipped."""
    groups: Array | None = None
    """int64 [N]: group of each sample, such as its video; None where samples are independent."""

    @classmethod
    def of(
        cls, reference: Answers, candidate: Answers, labels: Array, task: Task, groups: Array | None = None
    ) -> PairedAnswers:
        """Compare answers, as the task gives them, to samples with labels [N, …], or without any (`unlabelled`)."""
        labelled = is_labelled(labels)
        return PairedAnswers(
            metric=task.metric,
            scores=(task.score(reference, labels), task.score(candidate, labels)) if labelled else None,
            agreements=task.agreement(reference, candidate),
            margin=task.margin,
            groups=dependent(groups),
        )

    @property
    def samples(self) -> int:
        return len(self.agreements)

    def reference_at(self, confidence: float) -> Estimate | None:
        """The metric of the reference between two one-sided bounds, each at `confidence`; None without labels."""
        return estimate(self.metric, self.scores[0], confidence, self.groups) if self.scores else None

    @property
    def accuracy_drop(self) -> float | None:
        """Loss of the candidate's metric: 0.01 is one point of a share, 1 % of another metric; negative is a gain.

        None without labels.
        """
        if self.scores is None:
            return None
        if self.is_mean:
            return float(self.differences.sum() / self.samples)
        return self.metric.loss(self.scores[0].value, self.scores[1].value)

    def drop_at(self, confidence: float) -> Estimate | None:
        """The accuracy drop between two one-sided bounds, each at `confidence`; None without labels.

        Of answers that are right or wrong the bounds are Tango's, of graded ones a paired bootstrap's, of metrics that
        are no mean a bootstrap's over whole sets; of samples in groups, all of them are a cluster bootstrap's.
        """
        if self.scores is None:
            return None
        if self.is_mean and self.groups is not None:
            return cluster_bootstrap(self.differences, self.groups, confidence)
        if self.is_mean and self.is_binary:
            lost, won = (self.differences > 0).sum(), (self.differences < 0).sum()
            return tango(float(lost), float(won), self.samples, confidence)
        if self.is_mean:
            return paired_bootstrap(self.differences, confidence)
        reference, candidate = self.scores
        loss = lambda indices: self.metric.loss(reference.at(indices), candidate.at(indices))  # noqa: E731
        return _pooled(loss, self.samples, self.groups, confidence)

    @property
    def differences(self) -> Array:
        """float64 [N]: score of the reference minus score of the candidate, sample by sample. Needs labels."""
        assert self.scores is not None
        return np.asarray(self.scores[0].each - self.scores[1].each)

    @property
    def agreement(self) -> float:
        """Agreement of the two, right or wrong: a share of samples, or of what the task counts in them."""
        # Whole samples are counted, so that a share of them is exact.
        return float(self.agreements.sum() / self.samples)

    def agreement_at(self, confidence: float) -> Estimate:
        """The agreement between two one-sided bounds, each at `confidence`."""
        return _share(self.agreements, self.agreement, self.groups, confidence)

    @property
    def disagreements(self) -> Array:
        """int64 [K]: indices of the samples that the two do not answer alike."""
        return np.flatnonzero(self.agreements < 1)

    @property
    def flipped(self) -> Array:
        """int64 [K]: indices of the samples that one of the two does better, for classification: alone gets right.

        Without labels, of those on which they do not agree.
        """
        return np.flatnonzero(np.abs(self.differences) > self.margin) if self.scores else self.disagreements

    @property
    def reference_only(self) -> int:
        """Number of samples that the reference does better, for classification: alone gets right; 0 without labels."""
        return int((self.differences > self.margin).sum()) if self.scores else 0

    @property
    def candidate_only(self) -> int:
        """Number of samples that the candidate does better; 0 without labels."""
        return int((self.differences < -self.margin).sum()) if self.scores else 0

    @property
    def mcnemar_p(self) -> float:
        """Two-sided p of McNemar's test: probability of flips this lopsided if neither is better."""
        return mcnemar_p(self.reference_only, self.candidate_only)

    @property
    def mcnemar_mid_p(self) -> float:
        """Mid-p of the same test, which errs about as often as it says; the exact one errs less often."""
        return mcnemar_mid_p(self.reference_only, self.candidate_only)

    def without_worst(self) -> tuple[float, float | None]:
        """Agreement and accuracy drop without the sample that is answered worst: of few, chance may decide on it.

        That of most disagreement is left out of the agreement, that of most loss of the drop. 1 and 0 of one sample.
        """
        count = self.samples - 1
        if not count:
            return 1.0, 0.0 if self.scores else None
        agreement = float((self.agreements.sum() - self.agreements.min()) / count)
        if self.scores is None:
            return agreement, None
        others = np.delete(np.arange(self.samples), self.differences.argmax())
        reference, candidate = (scores.at(others) for scores in self.scores)
        return agreement, self.metric.loss(reference, candidate)

    @property
    def is_mean(self) -> bool:
        """True if the metric is a share that is a mean over samples."""
        return self.metric.unit == SHARE and self.scores is not None and self.scores[0].pooled is None

    @property
    def is_binary(self) -> bool:
        """True if every answer is scored right or wrong, 1 or 0."""
        return self.scores is not None and all(((one.each == 0) | (one.each == 1)).all() for one in self.scores)

    @property
    def group_count(self) -> int | None:
        """Number of groups that the samples come in; None where they are independent."""
        return None if self.groups is None else group_count(self.groups)


def dependent(groups: Array | None) -> Array | None:
    """Groups of samples, int64 [N], or None if each sample is a group of its own."""
    return None if groups is None or group_count(groups) == len(groups) else groups


def estimate(metric: Metric, scores: Scores, confidence: float, groups: Array | None = None) -> Estimate:
    """A metric between two one-sided bounds, each at `confidence`. groups: of samples that are not independent."""
    if metric.unit == SHARE and scores.pooled is None:
        return _share(scores.each, scores.value, groups, confidence)
    return _pooled(scores.at, len(scores.each), groups, confidence)


def _share(each: Array, share: float, groups: Array | None, confidence: float) -> Estimate:
    if groups is None:
        return wilson(share, len(each), 2 * confidence - 1)
    drawn = cluster_bootstrap(each, groups, confidence)
    return between(share, max(0.0, drawn.low), min(1.0, drawn.high))


def _pooled(statistic: Callable[[Array], float], count: int, groups: Array | None, confidence: float) -> Estimate:
    if groups is None:
        return pooled_bootstrap(statistic, count, confidence)
    return pooled_cluster_bootstrap(statistic, groups, confidence)
