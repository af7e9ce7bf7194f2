"""Record of slices: losses of classes, of stated and of automatic slices, and gaps between groups."""

from __future__ import annotations

from typing import Literal

from edgekit.ir.record import Record
from edgekit.parity.slices.clustered_loss import LEAST
from edgekit.stratification import FEW

CONFIDENCE = 0.95
"""Confidence of the bounds that a report shows, one-sided and over all slices of a family at once."""


class SliceRecord(Record):
    """Loss of one slice: of the samples that have a value, a property or a label in common."""

    name: str
    """Short name: `camera = b`, `brightness at most 31 %`."""
    words: str
    """The same as a person says it: `dark pictures, brightness at most 31 %`."""
    by: str
    """Column, property or `class` that it is a slice of."""
    origin: Literal["stated", "automatic", "class"]
    samples: int
    agreement: float
    """Agreement of both endpoints on these samples, in [0, 1]."""
    reference: float | None = None
    """Mean score of the reference; left out without labels, as all that follow."""
    candidate: float | None = None
    drop: float | None = None
    """Loss against the reference: 0.01 is one point, or 1 % of the reference's mean over all samples."""
    others: float | None = None
    """Loss of all other samples."""
    reference_only: int | None = None
    """Samples that the reference does better."""
    candidate_only: int | None = None
    standard_error: float | None = None
    """Standard error of `drop` where scores are graded, or samples come in clusters; else left out."""
    low: float | None = None
    """Bounds of `drop`, each at `SliceParity.confidence` over all judged slices; left out where it is not judged."""
    high: float | None = None
    p: float | None = None
    """Probability of such a loss if the slice lost nothing, or no more often than all other samples; adjusted for all
    judged slices (Holm)."""
    clusters: int | None = None
    """Clusters that its samples come in, such as videos (`[data] group`); left out where samples are independent."""

    @property
    def judged(self) -> bool:
        """True if it has labels and enough samples: fewer are shown, and nothing is concluded from them.

        Samples of one cluster alone are never enough.
        """
        few = self.samples < FEW or (self.clusters is not None and self.clusters < LEAST)
        return self.drop is not None and not few


class GroupGap(Record):
    """Difference of the error rates of the groups of one column, before and after compression."""

    by: str
    groups: int
    """Groups that are large enough to be compared."""
    samples: int
    """Samples in these groups."""
    before: float
    """Error rate of the reference's worst group minus that of its best."""
    after: float
    """The same of the candidate."""
    worst: str
    """Group with the highest error rate of the candidate."""
    best: str
    standard_error: float
    """Standard error of `after` minus `before`."""
    clusters: int | None = None
    """Fewest clusters that the samples of a compared group come in; left out where samples are independent."""

    @property
    def increase(self) -> float:
        return self.after - self.before


class SliceParity(Record):
    """Parity of both endpoints slice by slice."""

    confidence: float
    sentence: str
    """The worst slice in words, or that none is sure to lose."""
    slices: tuple[SliceRecord, ...]
    """Stated slices, then automatic ones."""
    classes: tuple[SliceRecord, ...] = ()
    """Slices by the label; empty where labels are no classes."""
    gaps: tuple[GroupGap, ...] = ()
    """Gaps between the groups of each stated column."""
    remarks: tuple[str, ...] = ()
    """Sentences on samples that are in no slice, and on slices that could not be made."""
