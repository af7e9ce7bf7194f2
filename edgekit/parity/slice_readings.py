"""Readings of the gates on slices: loss of the worst slice, loss of the worst class, increase of the gap of groups."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.ir.plural import counted, verb
from edgekit.parity.gate_texts import loss_value, points
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.slices.clustered_loss import fewest_clusters
from edgekit.parity.slices.drop_interval import fewest_samples
from edgekit.parity.slices.fairness import increase_bounds
from edgekit.parity.slices.record import CONFIDENCE, GroupGap, SliceParity, SliceRecord
from edgekit.parity.slices.slice_parity import described, drop_bounds, simultaneous, size_words
from edgekit.parity.statistics.estimate import Estimate
from edgekit.specs.profile import Bound
from edgekit.stratification import FEW
from edgekit.tasks.metric import SHARE

GATES = ("worst_slice_drop", "worst_class_drop", "fairness_gap")


def slice_reading(name: str, bound: Bound, parity: SliceParity | None, unit: str) -> Estimate | MissingValue:
    """Value of a gate of `GATES`, or the reason why there is none. unit: that of the task's metric.

    Slices: `low` is the greatest lower bound of all judged slices, which hold together at the bound's confidence;
    `high` the greatest upper bound of the slices that are large enough to pass the limit at all. Every slice has to
    pass, and each alone is as sure as stated: no correction is due there (intersection-union test, Berger 1982).
    """
    if parity is None:
        return MissingValue("the samples are not at hand; a build or a run has them")
    if name == "fairness_gap":
        return _gap(bound, parity, unit)
    records = _family(name, parity)
    if not any(each.drop is not None for each in records):
        return MissingValue(_none(name, records))
    judged = [each for each in records if each.judged]
    if not judged:
        groups = ", of two groups" if any(each.clusters is not None for each in records) else ""
        return MissingValue(f"no {_noun(name)} has {FEW} samples{groups}", "undecided", more=True)
    shown, lows = _lows(judged, bound)
    settled = _settled(judged, bound)
    if bound.max is not None and lows > bound.max:
        return Estimate(shown.drop or 0.0, lows, max(lows, shown.drop or 0.0, shown.high or 0.0))
    if not settled:
        if bound.max is None or bound.max <= 0:
            return MissingValue(f"no {_noun(name)} can pass a limit of 0, however large: widen the limit", "undecided")
        needed = f"no {_noun(name)} has the {_needed_words(judged, bound)} that the limit takes"
        return MissingValue(f"{needed}; a wider limit takes fewer", "undecided", more=True)
    high = max(drop_bounds(each, _confidence(bound))[1] for each in settled)
    value = max(each.drop or 0.0 for each in settled)
    return Estimate(value, min(lows, value), max(high, value))


def slice_words(name: str, bound: Bound, parity: SliceParity | None, unit: str) -> str:
    """Words after the value of a gate of `GATES`: the slice, its samples, and how sure the value is."""
    reading = slice_reading(name, bound, parity, unit)
    if parity is None or isinstance(reading, MissingValue):
        return ""
    show = (lambda value: loss_value(value, unit)) if name != "fairness_gap" else points
    sure = f"{100 * _confidence(bound):g} % sure"
    between = f"between {show(reading.low)} and {show(reading.high)}, {sure} of each"
    if name == "fairness_gap":
        gap = _worst_gap(parity.gaps, bound)
        rates = f"from {points(gap.before)} to {points(gap.after)}: {gap.worst} errs most, {gap.best} least"
        return f" in '{gap.by}', {rates}, on {counted(gap.samples, 'sample')} in {gap.groups} groups ({between})"
    judged = [each for each in _family(name, parity) if each.judged]
    few, small = len(judged) - len(_settled(judged, bound)), len(_family(name, parity)) - len(judged)
    left = f"; {_can_only_fail(few, judged, bound)}" if few else ""
    alone = ", or of one group," if any(each.clusters is not None for each in judged) else ""
    left += f"; {small} of fewer than {FEW}{alone} {verb(small, 'is', 'are')} not judged" if small else ""
    record = _shown(judged, bound)
    others = "" if record.others is None else f"; all others {show(round(record.others, 4))}"
    which = f"{record.words}, {size_words(record)}{others}"
    return f" ({which}; {between}, over {counted(len(judged), 'slice')}{left})"


def _can_only_fail(few: int, judged: Sequence[SliceRecord], bound: Bound) -> str:
    if bound.max is not None and bound.max > 0:
        return f"{few} of fewer than {_needed_words(judged, bound)} can only fail"
    return "no slice can pass a limit of 0, however large"


def decisive(name: str, bound: Bound, parity: SliceParity | None, unit: str) -> str:
    """Clause of the report's sentence on a gate of `GATES` that decides; empty where it has no value."""
    reading = slice_reading(name, bound, parity, unit)
    if parity is None or isinstance(reading, MissingValue):
        return ""
    if name == "fairness_gap":
        gap = _worst_gap(parity.gaps, bound)
        return f"error rates of '{gap.by}' differ by {points(gap.after)}, before by {points(gap.before)}"
    return described(_shown([each for each in _family(name, parity) if each.judged], bound), unit)


def _family(name: str, parity: SliceParity) -> Sequence[SliceRecord]:
    return parity.slices if name == "worst_slice_drop" else parity.classes


def _noun(name: str) -> str:
    return "class" if name == "worst_class_drop" else "slice"


def _none(name: str, records: Sequence[SliceRecord]) -> str:
    if records:
        return "the samples have no labels; agreements of slices are in the report"
    if name == "worst_class_drop":
        return "labels of this task are no classes"
    return "there is no slice of these samples"


def _lows(judged: Sequence[SliceRecord], bound: Bound) -> tuple[SliceRecord, float]:
    """Slice with the greatest lower bound, and that bound; all hold together at the confidence."""
    level = simultaneous(_confidence(bound), len(judged))
    lows = [drop_bounds(each, level)[0] for each in judged]
    greatest = max(range(len(judged)), key=lambda i: lows[i])
    return judged[greatest], lows[greatest]


def _shown(judged: Sequence[SliceRecord], bound: Bound) -> SliceRecord:
    """Slice that decides: the surest to lose more than the limit, else the one that lost most."""
    surest, low = _lows(judged, bound)
    if bound.max is not None and low > bound.max:
        return surest
    return max(_settled(judged, bound) or judged, key=lambda each: each.drop or 0.0)


def _settled(judged: Sequence[SliceRecord], bound: Bound) -> list[SliceRecord]:
    """Slices that are large enough to pass the limit, if none of their samples flips."""
    if bound.max is None:
        return list(judged)
    return [each for each in judged if bound.max > 0 and (each.clusters or each.samples) >= _needed(each, bound)]


def _needed(record: SliceRecord, bound: Bound) -> int:
    """Samples, or clusters of samples that come in such, which pass the limit if none flips."""
    assert bound.max is not None
    limit, confidence = min(bound.max, 1.0), _confidence(bound)
    if record.clusters is not None:
        return fewest_clusters(limit, confidence)
    return max(FEW, fewest_samples(limit, confidence))


def _needed_words(judged: Sequence[SliceRecord], bound: Bound) -> str:
    return f"{_needed(judged[0], bound):,} {'samples' if judged[0].clusters is None else 'groups'}"


def _gap(bound: Bound, parity: SliceParity, unit: str) -> Estimate | MissingValue:
    if unit != SHARE:
        return MissingValue("error rates need a metric in percent")
    if not parity.gaps:
        reason = f"no column that [data] evaluation slices by has two groups of {FEW} labelled samples"
        return MissingValue(f"{reason} (docs/slices.md)", "undecided")
    gap = _worst_gap(parity.gaps, bound)
    highs = [increase_bounds(each, _confidence(bound))[1] for each in parity.gaps]
    low = _gap_low(gap, parity.gaps, bound)
    return Estimate(gap.increase, min(low, gap.increase), max(*highs, gap.increase))


def _worst_gap(gaps: Sequence[GroupGap], bound: Bound) -> GroupGap:
    surest = max(gaps, key=lambda gap: _gap_low(gap, gaps, bound))
    if bound.max is not None and _gap_low(surest, gaps, bound) > bound.max:
        return surest
    return max(gaps, key=lambda gap: gap.increase)


def _gap_low(gap: GroupGap, gaps: Sequence[GroupGap], bound: Bound) -> float:
    return increase_bounds(gap, simultaneous(_confidence(bound), len(gaps)))[0]


def _confidence(bound: Bound) -> float:
    """Confidence of a bound: the worst of many slices is a matter of chance without any."""
    return bound.confidence or CONFIDENCE
