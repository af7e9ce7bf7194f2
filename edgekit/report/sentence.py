"""The verdict in one sentence, for someone who is no engineer."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.ir.measurement import Environment
from edgekit.ir.plural import counted
from edgekit.parity.calibration.paired_calibration import PairedCalibration
from edgekit.parity.comparison import Comparison
from edgekit.parity.gate_texts import decimal, metric_value, milliseconds, percent, points
from edgekit.parity.gates import GateResult
from edgekit.parity.outside.paired_outside import PairedOutside
from edgekit.parity.probability_readings import CALIBRATION, OUTSIDE
from edgekit.parity.slice_readings import GATES as SLICE_GATES
from edgekit.parity.slice_readings import decisive
from edgekit.specs.profile import Profile
from edgekit.specs.target import Precision, Target
from edgekit.stratification import FEW
from edgekit.tasks.metric import SHARE
from edgekit.tasks.metric_titles import metric_title

_PRECISIONS: dict[Precision, str] = {
    "static-int8": "int8",
    "static-int16": "int8 with int16 activations",
    "dynamic-int8": "dynamic int8",
    "weight-int8": "int8 weights",
    "weight-int4": "int4 weights",
}


EVERY_PASSED = "every gate passed"
_NOT_MENTIONED = ("instructions_ratio", "not_slower")
"""Gates that are not mentioned where they are not measurable: without an earlier run, or a device."""


def sentence(
    target: Target,
    profile: Profile,
    device: str | None,
    size_ratio: float,
    comparison: Comparison,
    gates: Sequence[GateResult],
) -> str:
    """Sentence on the measurement, its machine, and the gates. It names no time that was not measured on the target."""
    parts = [f"{_subject(target, profile, device, comparison)} {_answers(comparison)}", _size(size_ratio)]
    latency, stand_in = comparison.candidate.latency, comparison.candidate.environment.host_stand_in
    if device is not None and not stand_in and latency.p50_ns is not None:
        time = f"one answer takes {milliseconds(latency.p50_ns / 1e6)}"
        parts.append(time if latency.valid else "its time was not measured well enough to be quoted")
    if comparison.candidate.environment.kind == "emulated":
        parts.append(_work(comparison.candidate.instructions))
    parts += _probabilities(comparison, gates)
    warnings = _chance(comparison)
    return f"{'; '.join([*parts, *warnings, _gates(gates, bool(warnings)), *_slices(profile, comparison, gates)])}."


def _subject(target: Target, profile: Profile, device: str | None, comparison: Comparison) -> str:
    precision = _PRECISIONS.get(profile.precision, profile.precision)
    if comparison.candidate.environment.host_stand_in:
        return f"{precision} for {target.title}, run on the host in its place,"
    if comparison.candidate.environment.kind == "emulated":
        return f"{precision} for {target.title}, run on {_emulated(target, comparison.candidate.environment)},"
    return f"{precision} on {target.title}"


def _emulated(target: Target, where: Environment) -> str:
    emulated = f"an emulated {where.cpu or where.machine}"
    stands_in = target.emulation and target.emulation.stands_in
    return f"{emulated} that stands in for it" if stands_in else emulated


def _work(instructions: int | None) -> str:
    unmeasured = "time was not measured"
    return f"one answer takes {instructions:,} instructions, {unmeasured}" if instructions else unmeasured


def _reference(comparison: Comparison) -> str:
    return "the float model" if comparison.reference.environment.kind == "eager" else "the reference"


def _chance(comparison: Comparison) -> list[str]:
    """Warnings, in capitals, that the comparison says nothing."""
    warnings = []
    if comparison.is_by_chance:
        reached = metric_value(comparison.chance or 0, comparison.metric.unit)
        name = _reference(comparison).upper()
        warnings.append(f"{name} IS NO BETTER THAN CHANCE: one answer to all samples reaches {reached}")
    if comparison.distinct_answers[1] == 1 and not comparison.always_right and comparison.samples >= FEW:
        warnings.append("THE CANDIDATE GIVES ONE ANSWER TO ALL SAMPLES")
    return warnings


def _answers(comparison: Comparison) -> str:
    reference, count, metric = _reference(comparison), _count(comparison), comparison.metric
    ours, theirs = comparison.candidate.score, comparison.reference.score
    if ours is None or theirs is None:
        return f"agrees with {reference} to {percent(comparison.agreement)} on {count} without labels"
    if metric.name == "top1":
        return f"answers {100 * ours.value:.1f} % of {count} right, {reference} {100 * theirs.value:.1f} %"
    less = "" if metric.higher_is_better else " (less is better)"
    shown = [_shown(value, metric.unit) for value in (ours.value, theirs.value)]
    return f"reaches {_with_article(metric_title(metric.name))} of {shown[0]} on {count}, {reference} {shown[1]}{less}"


def _probabilities(comparison: Comparison, gates: Sequence[GateResult]) -> list[str]:
    """Clauses on the gates of probabilities that were missed: with the same answers, a model may be surer of them."""
    missed = {gate.name for gate in gates if gate.outcome == "failed"}
    clauses, calibration, outside = [], comparison.calibration, comparison.outside
    if CALIBRATION in missed and isinstance(calibration, PairedCalibration):
        ours, theirs = (points(side.ece) for side in (calibration.record.candidate, calibration.record.reference))
        more = calibration.record.candidate
        sure = "over-confident" if more.confidence > more.outcome else "not as sure as it is right"
        clauses.append(f"it is {sure}, off by {ours} of probability where {_reference(comparison)} is by {theirs}")
    if OUTSIDE in missed and isinstance(outside, PairedOutside):
        lost = next(each.auroc for each in outside.record.detections if each.score == outside.score)
        known = f"AUROC {lost.candidate:.3f}, of {_reference(comparison)} {lost.reference:.3f}"
        clauses.append(f"it tells samples from outside less well ({known})")
    return clauses


def _with_article(title: str) -> str:
    return f"{'an' if title[0] in 'aeioAEIO' else 'a'} {title}"


def _shown(value: float, unit: str) -> str:
    return f"{100 * value:.1f} %" if unit == SHARE else metric_value(value, unit)


def _count(comparison: Comparison) -> str:
    """Number of the samples, by what one is: the steps of a sequence are its answers where each has a label."""
    count = comparison.samples
    if comparison.drift is None:
        return counted(count, "sample")
    sequences = counted(count, "sequence")
    by_step = any(span.reference is not None for span in comparison.drift.spans)
    return f"the steps of {sequences}" if by_step else sequences


def _size(ratio: float) -> str:
    times = decimal(ratio, 2)
    return "the file is as large as the float file" if times == "1" else f"the file is {times} times the size"


def _slices(profile: Profile, comparison: Comparison, gates: Sequence[GateResult]) -> list[str]:
    """Clauses on the slices, classes or groups that made a gate fail."""
    failed = {gate.name for gate in gates if gate.outcome == "failed"} & set(SLICE_GATES)
    clauses = [
        decisive(name, bound, comparison.slices, comparison.metric.unit)
        for name, bound in profile.gates.named()
        if name in failed
    ]
    # The worst slice may be a class, too: it is named once.
    return list(dict.fromkeys(clause for clause in clauses if clause))


def _gates(gates: Sequence[GateResult], warned: bool) -> str:
    if not gates:
        return "no gate was set"
    for outcome, verb in (("failed", "failed"), ("undecided", "undecided")):
        names = [gate.name + (f" ({gate.worst})" if gate.worst else "") for gate in gates if gate.outcome == outcome]
        if names:
            return f"{len(names)} of {counted(len(gates), 'gate')} {verb}: {', '.join(names)}"
    if warned:
        return "no gate failed, and that says nothing"
    unmeasured = sum(gate.outcome == "not measurable" and gate.name not in _NOT_MENTIONED for gate in gates)
    return f"every gate passed but {unmeasured} that cannot be measured here" if unmeasured else EVERY_PASSED
