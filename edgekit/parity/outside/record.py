"""Record of a report on samples from outside: how well both endpoints tell them from those of the evaluation set."""

from __future__ import annotations

from edgekit.ir.record import Record
from edgekit.specs.outside import OutsideScoreName


class PairedShare(Record):
    """Share of the reference and of the candidate in [0, 1], and how much worse the candidate's is."""

    reference: float
    candidate: float
    loss: float
    """Loss of the candidate: positive where it tells the samples worse."""
    low: float
    """Bound of the loss by a paired bootstrap over samples, at 95 %; so is the other one."""
    high: float


class OutsideDetection(Record):
    """Detection by one score, the higher the more a sample is like the evaluation set."""

    score: OutsideScoreName
    auroc: PairedShare
    """Area under the ROC curve: probability that a sample of the evaluation set has the higher score. 0.5 is chance."""
    fpr95: PairedShare
    """Share of the samples from outside that pass where 95 % of the evaluation samples do (FPR at 95 % TPR)."""


class OutsideKind(Record):
    """One kind of samples from outside, by the score that the gate reads."""

    name: str
    samples: int
    reference: float
    """AUROC of the reference."""
    candidate: float


class OutsideRecord(Record):
    """Detection of samples from outside by both endpoints."""

    sentence: str
    """The finding for someone who is no engineer."""
    source: str
    """Source of the samples from outside, as the project states it, or `noise`."""
    inside: int
    """Number of evaluation samples."""
    outside: int
    """Number of samples from outside."""
    score: OutsideScoreName
    """Score that the gate `outside_auroc_drop` reads."""
    detections: tuple[OutsideDetection, ...]
    kinds: tuple[OutsideKind, ...] = ()
    """Kinds of generated samples; left out for a data set."""
    sha256: str | None = None
    """SHA-256 over the samples from outside, in order; left out for generated ones."""
