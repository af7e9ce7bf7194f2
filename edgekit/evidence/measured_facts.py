"""Facts that were measured: gates, metric, slices, robustness, latency, energy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from edgekit.evidence.fact import REPORT, Fact
from edgekit.ir.plural import counted, verb
from edgekit.parity.gate_texts import metric_value, milliseconds, percent
from edgekit.report.report import Report


def facts(report: Report) -> Iterator[Fact]:
    """Facts that the report holds; what was not measured is left out."""
    counts = Counter(gate.outcome for gate in report.gates)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    yield Fact("gates", f"{counted(len(report.gates), 'gate')}: {told}", REPORT, "gates")
    yield from _accuracy(report)
    yield from _weaknesses(report)
    yield from _device(report)
    yield from _data(report)


def limitations(report: Report) -> tuple[str, ...]:
    """Sentences on what is not sure, or not as it should be: gates that did not pass, and warnings."""
    gates = (gate.meaning for gate in report.gates if gate.outcome != "passed")
    stand_in = "It was measured on the host, not on the target: times and memory are not the target's."
    return (*gates, *(report.warnings or ()), *((stand_in,) if report.host_stand_in else ()))


def _accuracy(report: Report) -> Iterator[Fact]:
    score = report.candidate.score
    if score:
        between = f"between {metric_value(score.low, score.unit)} and {metric_value(score.high, score.unit)}"
        value = metric_value(score.value, score.unit)
        yield Fact("metric", f"{score.name} {value} ({between}, 95 %)", REPORT, "candidate.metric")
    words = f"{counted(report.candidate.samples, 'sample')}, the same for reference and candidate"
    yield Fact("samples", f"{words}; agreement {percent(report.agreement)}", REPORT, "agreement")
    sure = sorted({gate.confidence for gate in report.gates if gate.confidence is not None})
    at = ", ".join(f"{100 * each:g} %" for each in sure) or "95 %"
    yield Fact("statistics", f"intervals and paired tests, each bound at {at}", REPORT, "accuracy_drop_bounds")
    unsure = limitations(report)
    words = (
        f"gates that did not pass, and warnings: {len(unsure)}" if unsure else "every gate passed, without a warning"
    )
    yield Fact("limits", words, REPORT, "warnings")


def _weaknesses(report: Report) -> Iterator[Fact]:
    if report.slices:
        yield Fact("slices", report.slices.sentence, REPORT, "slices")
        if report.slices.gaps:
            gaps = "; ".join(f"{gap.by}: {percent(gap.after)}" for gap in report.slices.gaps)
            yield Fact("fairness", f"largest differences of error rates between groups: {gaps}", REPORT, "slices.gaps")
    if report.robustness:
        yield Fact("robustness", report.robustness.sentence, REPORT, "robustness")
    if report.outside:
        yield Fact("outside", report.outside.sentence, REPORT, "outside")
    if report.adversarial:
        count = len(report.adversarial.attacks)
        yield Fact(
            "adversarial", f"sensitivity to {counted(count, 'attack')} on the float network", REPORT, "adversarial"
        )
    if report.poisoning:
        count = report.poisoning.samples
        screened = f"{counted(count, 'calibration sample')} {verb(count, 'was', 'were')} screened"
        yield Fact("poisoning", f"{screened}, {len(report.poisoning.poisoned)} stand out", REPORT, "poisoning")
    if report.calibration:
        yield Fact("calibration", "calibration errors of both endpoints, and their difference", REPORT, "calibration")


def _device(report: Report) -> Iterator[Fact]:
    where, latency = report.candidate.environment, report.candidate.latency
    machine = " ".join(filter(None, (where.cpu, where.machine, where.system))) or "unknown machine"
    kind = f"{report.candidate.kind}{', in the place of the target' if report.host_stand_in else ''}"
    yield Fact("environment", f"{kind}: {machine}; {where.runtime}", REPORT, "candidate.environment")
    if latency.valid and latency.p50_ns is not None and not report.host_stand_in:
        took = f"median {milliseconds(latency.p50_ns / 1e6)} of {counted(latency.count, 'inference')}"
        yield Fact("latency", took, REPORT, "candidate.latency_ns")
    energy = report.candidate.energy
    if energy:
        drawn = f"{energy.joules:.4g} J an inference, ±{energy.uncertainty:.0%}, by {energy.method}"
        yield Fact("energy", drawn, REPORT, "candidate.energy")
    if report.cost:
        yield Fact("cost", " ".join(report.cost.sentences), REPORT, "cost")


def _data(report: Report) -> Iterator[Fact]:
    governance = report.governance
    if governance is None:
        return
    if governance.overlaps:
        shared = "; ".join(
            f"{each.role}: {each.exact + each.near:,} of {each.samples:,}" for each in governance.overlaps
        )
        yield Fact("overlaps", f"evaluation samples that are in another set: {shared}", REPORT, "governance.overlaps")
    if governance.labels:
        wrong, labels = governance.labels.suspicious, counted(governance.labels.samples, "label")
        doubted = f"{wrong:,} of {labels} {verb(wrong, 'looks', 'look')} wrong to the reference"
        yield Fact("labels", doubted, REPORT, "governance.labels")
