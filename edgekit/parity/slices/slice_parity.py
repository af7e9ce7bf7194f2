"""Parity of two endpoints slice by slice: losses with bounds that hold over all slices at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted
from edgekit.parity.gate_texts import loss_value
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.parity.slices import clustered_loss
from edgekit.parity.slices.drop_interval import (
    excess_p,
    graded_bounds,
    graded_error,
    graded_p,
    loss_p,
    score_bounds,
)
from edgekit.parity.slices.fairness import group_gaps
from edgekit.parity.slices.record import CONFIDENCE, GroupGap, SliceParity, SliceRecord
from edgekit.parity.slices.slice import Slice
from edgekit.parity.statistics.multiplicity import holm
from edgekit.stratification import FEW
from edgekit.tasks.metric import LEAST, SHARE


@dataclass(frozen=True)
class _Pairs:
    """Scores of both endpoints, sample by sample, as losses of slices are made of them."""

    sides: tuple[Array, Array]
    """Scores of the reference and of the candidate, float64 [N]."""
    losses: Array
    """float64 [N]: loss of each sample; of a metric with a unit, relative to the reference's mean over all."""
    lost: Array
    """bool [N]: the reference does better."""
    gained: Array
    graded: bool
    """True if answers are more than right or wrong."""
    clusters: Array | None
    """int64 [N]: cluster of each sample; None where samples are independent."""

    @classmethod
    def of(cls, paired: PairedAnswers) -> _Pairs:
        assert paired.scores is not None
        sides, differences = (paired.scores[0].each, paired.scores[1].each), paired.differences
        share = paired.metric.unit == SHARE
        scale = 1.0 if share else max(abs(float(sides[0].mean())), LEAST)
        graded = not share or any(((side != 0) & (side != 1)).any() for side in sides)
        lost, gained = differences > paired.margin, differences < -paired.margin
        return cls(sides, differences / scale, lost, gained, graded, paired.groups)

    @cached_property
    def total_lost(self) -> int:
        return int(self.lost.sum())


def slice_parity(
    paired: PairedAnswers, slices: Sequence[Slice], classes: Sequence[Slice] = (), remarks: Sequence[str] = ()
) -> SliceParity:
    """Compare the answers slice by slice. classes: slices by the label, a family of their own.

    Slices without a sample are left out.
    """
    slices, classes = ([each for each in family if each.members.any()] for family in (slices, classes))
    of_slices, of_classes = (_records(paired, family) for family in (slices, classes))
    stated = [(record, each.members) for record, each in zip(of_slices, slices, strict=True) if each.origin == "stated"]
    gaps: tuple[GroupGap, ...] = ()
    if paired.scores and paired.metric.unit == SHARE and stated:
        pairs = _Pairs.of(paired)
        theirs, ours = ([side[members] for _, members in stated] for side in pairs.sides)
        clusters = None if pairs.clusters is None else [pairs.clusters[members] for _, members in stated]
        gaps = tuple(group_gaps([record for record, _ in stated], theirs, ours, clusters))
    return SliceParity(
        confidence=CONFIDENCE,
        sentence=_sentence(of_slices, of_classes, paired),
        slices=of_slices,
        classes=of_classes,
        gaps=gaps,
        remarks=tuple(remarks),
    )


def drop_bounds(record: SliceRecord, confidence: float) -> tuple[float, float]:
    """Bounds of the loss of a judged slice alone, each one-sided at `confidence`."""
    assert record.drop is not None
    if record.clusters is not None:
        low, high = clustered_loss.loss_bounds(
            record.drop,
            (record.reference_only or 0, record.candidate_only or 0),
            record.samples,
            record.standard_error or 0.0,
            record.clusters,
            confidence,
        )
        return max(low, min(-1.0, record.drop)), min(high, max(1.0, record.drop))
    if record.standard_error is not None:
        return graded_bounds(record.drop, record.standard_error, record.samples, confidence)
    return score_bounds(record.reference_only or 0, record.candidate_only or 0, record.samples, confidence)


def simultaneous(confidence: float, count: int) -> float:
    """Confidence of one of `count` bounds that hold together at `confidence` (Bonferroni)."""
    return 1 - (1 - confidence) / max(1, count)


def _records(paired: PairedAnswers, slices: Sequence[Slice]) -> tuple[SliceRecord, ...]:
    """Records of one family of slices, in their order; p-values and bounds are adjusted for those that are judged."""
    if not paired.scores:
        return tuple(SliceRecord(**_facts(paired, each)) for each in slices)
    pairs = _Pairs.of(paired)
    records = [_scored(paired, pairs, each) for each in slices]
    judged = [i for i, record in enumerate(records) if record.judged]
    level = simultaneous(CONFIDENCE, len(judged))
    adjusted = holm(np.array([_p(records[i], slices[i].members, pairs) for i in judged]))
    for i, p in zip(judged, adjusted.tolist(), strict=True):
        low, high = drop_bounds(records[i], level)
        records[i] = records[i].model_copy(update={"low": low, "high": high, "p": p})
    return tuple(records)


def _scored(paired: PairedAnswers, pairs: _Pairs, one: Slice) -> SliceRecord:
    members = one.members
    inside, count = pairs.losses[members], len(members)
    outside = count - len(inside)
    reference, candidate = pairs.sides
    clusters = None if pairs.clusters is None else pairs.clusters[members]
    among = None if clusters is None else len(np.unique(clusters))
    error = graded_error(inside) if pairs.graded and clusters is None else None
    if clusters is not None and among is not None and among >= clustered_loss.LEAST:
        error = clustered_loss.mean_error(inside, clusters)
    return SliceRecord(
        **_facts(paired, one),
        reference=float(reference[members].mean()),
        candidate=float(candidate[members].mean()),
        drop=float(inside.sum() / len(inside)),
        others=float((pairs.losses.sum() - inside.sum()) / outside) if outside else None,
        reference_only=int(pairs.lost[members].sum()),
        candidate_only=int(pairs.gained[members].sum()),
        standard_error=error,
        clusters=among,
    )


def _facts(paired: PairedAnswers, one: Slice) -> dict[str, Any]:
    """Facts that need no label."""
    agreements = paired.agreements[one.members]
    return {
        "name": one.name,
        "words": one.words,
        "by": one.by,
        "origin": one.origin,
        "samples": len(agreements),
        "agreement": float(agreements.sum() / len(agreements)),
    }


def _p(record: SliceRecord, members: Array, pairs: _Pairs) -> float:
    """Probability of the loss of a slice, if it lost nothing or no more often than all others: the greater of the two.

    A slice is worse only where both are unlikely: compression that costs a little everywhere is no slice's loss.
    """
    assert record.drop is not None
    if pairs.clusters is not None and record.clusters is not None:
        return _clustered_p(record.drop, record.standard_error or 0.0, record.clusters, members, pairs)
    if record.standard_error is None:
        lost, gained = record.reference_only or 0, record.candidate_only or 0
        return max(loss_p(lost, gained), excess_p(lost, record.samples, pairs.total_lost, len(members)))
    p, outside = graded_p(record.drop, record.standard_error), pairs.losses[~members]
    if not len(outside):
        return p
    spread = math.hypot(record.standard_error, graded_error(outside))
    return max(p, graded_p(record.drop - float(outside.mean()), spread))


def _clustered_p(drop: float, error: float, among: int, members: Array, pairs: _Pairs) -> float:
    assert pairs.clusters is not None
    p = clustered_loss.loss_p(drop, error, among)
    if members.all():
        return p
    excess = drop - float(pairs.losses[~members].mean())
    return max(
        p,
        clustered_loss.loss_p(excess, clustered_loss.difference_error(pairs.losses, members, pairs.clusters), among),
    )


def worst(*families: Sequence[SliceRecord]) -> SliceRecord | None:
    """Slice that is surest to be worse than the others: of those whose p is small, that of the highest lower bound.

    A p is adjusted within its family; 5 % are shared between the families, so that one is named in 5 % of sound builds.
    """
    judged = [each for family in families for each in family if each.p is not None]
    small = (1 - CONFIDENCE) / max(1, sum(any(each.p is not None for each in family) for family in families))
    sure = [each for each in judged if each.p is not None and each.p <= small]
    return max(sure, key=lambda each: (each.low or 0.0, each.drop or 0.0), default=None)


def described(record: SliceRecord, unit: str) -> str:
    """A slice with its count and its loss: `dark pictures (412 samples): loses 6.2 points, all others 0.3 points`."""
    assert record.drop is not None
    others = "" if record.others is None else f", all others {loss_value(round(record.others, 4), unit)}"
    return f"{record.words} ({size_words(record)}): loses {loss_value(round(record.drop, 4), unit)}{others}"


def size_words(record: SliceRecord) -> str:
    """Size of a slice in words: `412 samples`, `412 samples in 9 groups`."""
    if record.clusters is None:
        return counted(record.samples, "sample")
    return f"{counted(record.samples, 'sample')} in {counted(record.clusters, 'group')}"


def _sentence(slices: Sequence[SliceRecord], classes: Sequence[SliceRecord], paired: PairedAnswers) -> str:
    records = (*slices, *classes)
    if not records:
        return f"There is no slice of {_these(paired.samples)}."
    if not paired.scores:
        least = min(records, key=lambda each: each.agreement)
        where = f"{least.words} ({counted(least.samples, 'sample')})"
        return f"Without labels no slice has a loss; the least agreement is that of {where}."
    judged, record = [each for each in records if each.judged], worst(slices, classes)
    if not judged:
        return f"No slice of {_these(paired.samples)} has {FEW} samples: none is judged."
    if record:
        return f"Worst slice: {described(record, paired.metric.unit)}."
    sure = f"none is sure to lose more than the others (Holm, {100 * CONFIDENCE:g} %)"
    return f"Of {counted(len(judged), 'slice')} of {FEW} samples or more, {sure}."


def _these(samples: int) -> str:
    return f"{'this' if samples == 1 else 'these'} {counted(samples, 'sample')}"
