"""Detection of samples from outside by a reference and a candidate, with intervals of the difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted, verb
from edgekit.parity.loss_words import loss_words
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.outside.record import OutsideDetection, OutsideKind, OutsideRecord, PairedShare
from edgekit.parity.outside.scores import outside_scores
from edgekit.parity.statistics.bootstrap import POOLED_RESAMPLES, SEED
from edgekit.parity.statistics.estimate import Estimate
from edgekit.specs.outside import OutsideScoreName
from edgekit.tasks.class_scores import ClassScores, form_of, refusal
from edgekit.tasks.roc import RocCurve, drawn_counts

LEAST = 50
"""Fewest samples of either side that are judged."""
ACCEPTED = 0.95
"""Share of the evaluation samples that pass where false acceptance is read."""
CONFIDENCE = 0.95
"""One-sided confidence of the bounds in a report."""


@dataclass(frozen=True)
class OutsideScores:
    """Class scores of both endpoints for evaluation samples and for samples from outside, without labels."""

    reference: tuple[ClassScores, ClassScores]
    """Scores of evaluation samples, and of samples from outside."""
    candidate: tuple[ClassScores, ClassScores]
    source: str
    score: OutsideScoreName
    """Score that the gate reads."""
    kinds: Sequence[str] = ()
    """Kind of each sample from outside, where they are generated; else empty."""
    sha256: str | None = None
    """Digest of the samples from outside; None where they are generated."""


@dataclass(frozen=True)
class PairedOutside:
    """Scores of two endpoints for the same samples, inside first."""

    reference: Mapping[OutsideScoreName, Array]
    candidate: Mapping[OutsideScoreName, Array]
    inside: int
    """Number of evaluation samples, which come first."""
    source: str
    score: OutsideScoreName
    kinds: Sequence[str] = ()
    sha256: str | None = None

    @property
    def outside(self) -> int:
        return len(self.reference[self.score]) - self.inside

    def drop_at(self, confidence: float) -> Estimate:
        """AUROC of the reference minus that of the candidate, between two one-sided bounds, each at `confidence`."""
        return self._losses(self.score, confidence)[0]

    @cached_property
    def record(self) -> OutsideRecord:
        """Record for a report."""
        detections = tuple(self._detection(name) for name in self.reference)
        decisive = next(each for each in detections if each.score == self.score)
        return OutsideRecord(
            sentence=_sentence(decisive, self.inside, self.outside),
            source=self.source,
            inside=self.inside,
            outside=self.outside,
            score=self.score,
            detections=detections,
            kinds=tuple(self._kind(kind) for kind in dict.fromkeys(self.kinds)),
            sha256=self.sha256,
        )

    def _detection(self, name: OutsideScoreName) -> OutsideDetection:
        auroc, acceptance = self._losses(name, CONFIDENCE)
        curves = self._curves(name)
        return OutsideDetection(
            score=name,
            auroc=_paired([curve.auc() for curve in curves], auroc),
            fpr95=_paired([curve.false_acceptance_at(ACCEPTED) for curve in curves], acceptance),
        )

    def _kind(self, kind: str) -> OutsideKind:
        members = np.array([one == kind for one in self.kinds])
        chosen = np.append(np.ones(self.inside, bool), members)
        areas = [RocCurve(side[self.score][chosen], self._inside[chosen]).auc() for side in self._both]
        return OutsideKind(name=kind, samples=int(members.sum()), reference=areas[0], candidate=areas[1])

    @property
    def _both(self) -> tuple[Mapping[OutsideScoreName, Array], Mapping[OutsideScoreName, Array]]:
        return self.reference, self.candidate

    @property
    def _inside(self) -> Array:
        """True for evaluation samples, bool [samples]."""
        return np.arange(self.inside + self.outside) < self.inside

    def _curves(self, name: OutsideScoreName) -> tuple[RocCurve, RocCurve]:
        reference, candidate = self._both
        return RocCurve(reference[name], self._inside), RocCurve(candidate[name], self._inside)

    def _losses(self, name: OutsideScoreName, confidence: float) -> tuple[Estimate, Estimate]:
        """Losses of AUROC and of false acceptance, by a paired bootstrap over either side with a fixed seed."""
        curves, rng = self._curves(name), np.random.default_rng(SEED)
        draws = []
        for _ in range(max(POOLED_RESAMPLES, math.ceil(20 / (1 - confidence)))):
            sides = [drawn_counts(rng.integers(0, size, size), size) for size in (self.inside, self.outside)]
            draws.append(_losses_of(curves, np.concatenate(sides)))
        values = _losses_of(curves, None)
        low, high = np.quantile(draws, (1 - confidence, confidence), axis=0)
        estimates = [
            Estimate(value, min(value, float(least)), max(value, float(most)))
            for value, least, most in zip(values, low, high, strict=True)
        ]
        return estimates[0], estimates[1]


def paired_outside(scores: OutsideScores) -> PairedOutside | MissingValue:
    """Pair the scores of samples inside and outside, or say why their detection is not measured.

    The form of the output is that of the reference's answers to the evaluation samples.
    """
    for side, owner in ((scores.reference, "the reference"), (scores.candidate, "the candidate")):
        for part, where in zip(side, ("evaluation samples", "samples from outside"), strict=True):
            reason = refusal(part)
            if reason and not np.isfinite(part.values).all():
                return MissingValue(f"of {owner}, {where}: {reason}", "undecided")
            if reason and side is scores.reference and where == "evaluation samples":
                return MissingValue(f"of {owner}, {reason}")
    form = form_of(scores.reference[0])
    if scores.score != "max-softmax" and form != "logits":
        return MissingValue(f"'{scores.score}' needs logits, the output holds probabilities; [data] outside: score")
    counts = [part.samples for part in scores.reference]
    for count, noun in zip(counts, ("evaluation sample", "sample"), strict=True):
        if count < LEAST:
            inside = noun != "sample"
            few = f"{counted(count, noun)}{'' if inside else ' from outside'} {verb(count, 'is', 'are')} too few"
            more = "" if inside else ": add some to [data] outside"
            return MissingValue(f"{few}, {LEAST} are needed{more}", "undecided", more=inside)
    reference, candidate = (
        _joined([outside_scores(part, form) for part in side]) for side in (scores.reference, scores.candidate)
    )
    return PairedOutside(reference, candidate, counts[0], scores.source, scores.score, scores.kinds, scores.sha256)


def _joined(parts: Sequence[Mapping[OutsideScoreName, Array]]) -> Mapping[OutsideScoreName, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _losses_of(curves: tuple[RocCurve, RocCurve], weights: Array | None) -> tuple[float, float]:
    reference, candidate = curves
    return (
        reference.auc(weights) - candidate.auc(weights),
        candidate.false_acceptance_at(ACCEPTED, weights) - reference.false_acceptance_at(ACCEPTED, weights),
    )


def _paired(values: Sequence[float], loss: Estimate) -> PairedShare:
    return PairedShare(reference=values[0], candidate=values[1], loss=loss.value, low=loss.low, high=loss.high)


def _sentence(decisive: OutsideDetection, inside: int, outside: int) -> str:
    """Sentence on how well either endpoint tells samples from outside, and on what compression changed."""
    auroc = decisive.auroc
    changed = loss_words(auroc.low, auroc.high)
    return (
        f"By {decisive.score} the reference tells {counted(outside, 'sample')} from outside from {inside:,} of the "
        f"evaluation set with an AUROC of {auroc.reference:.4f}, the candidate with {auroc.candidate:.4f} (0.5 is "
        f"chance): {changed}."
    )
