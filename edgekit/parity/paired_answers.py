"""Answers of two endpoints to the same samples: loss of the metric, agreement and flips, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.statistics import Estimate, mcnemar_p, paired_bootstrap, pooled_bootstrap, wilson
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

    @classmethod
    def of(cls, reference: Answers, candidate: Answers, labels: Array, task: Task) -> PairedAnswers:
        """Compare answers, as the task gives them, to samples with labels [N, …], or without any (`unlabelled`)."""
        labelled = is_labelled(labels)
        return PairedAnswers(
            metric=task.metric,
            scores=(task.score(reference, labels), task.score(candidate, labels)) if labelled else None,
            agreements=task.agreement(reference, candidate),
            margin=task.margin,
        )

    @property
    def samples(self) -> int:
        return len(self.agreements)

    def reference_at(self, confidence: float) -> Estimate | None:
        """The metric of the reference between two one-sided bounds, each at `confidence`; None without labels."""
        return estimate(self.metric, self.scores[0], confidence) if self.scores else None

    @property
    def accuracy_drop(self) -> float | None:
        """Loss of the candidate's metric: 0.01 is one point of a share, 1 % of another metric; negative is a gain.

        None without labels.
        """
        if self.scores is None:
            return None
        if self._is_mean:
            return float(self.differences.sum() / self.samples)
        return self.metric.loss(self.scores[0].value, self.scores[1].value)

    def drop_at(self, confidence: float) -> Estimate | None:
        """The accuracy drop between two one-sided bounds, each at `confidence`; None without labels."""
        if self.scores is None:
            return None
        if self._is_mean:
            return paired_bootstrap(self.differences, confidence)
        reference, candidate = self.scores
        loss = lambda indices: self.metric.loss(reference.at(indices), candidate.at(indices))  # noqa: E731
        return pooled_bootstrap(loss, self.samples, confidence)

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
        return wilson(self.agreement, self.samples, 2 * confidence - 1)

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
    def _is_mean(self) -> bool:
        return self.metric.unit == SHARE and self.scores is not None and self.scores[0].pooled is None


def estimate(metric: Metric, scores: Scores, confidence: float) -> Estimate:
    """A metric between two one-sided bounds, each at `confidence`."""
    if metric.unit == SHARE and scores.pooled is None:
        return wilson(scores.value, len(scores.each), 2 * confidence - 1)
    return pooled_bootstrap(scores.at, len(scores.each), confidence)
