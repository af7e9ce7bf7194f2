"""Gates, metrics and slices of a report as performance metrics of a CycloneDX model card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgekit.parity.gates import GateResult
from edgekit.report.report import Report
from edgekit.untrusted.sanitize import MAX_WORDS, line

ALL = "all evaluation samples"


def performance_metrics(report: Report) -> list[dict[str, Any]]:
    """Metric of both endpoints, every gate that has a value, and the loss of every slice that is judged."""
    return [
        *_scores(report),
        *(_gate(gate, report) for gate in report.gates if gate.value is not None),
        *_slices(report),
    ]


def limit_properties(report: Report) -> list[dict[str, str]]:
    """Outcome, limits and value of each gate as properties: a performance metric has no place for limits."""
    properties = []
    for gate in report.gates:
        limits = {"min": gate.min, "max": gate.max, "confidence": gate.confidence}
        words = [gate.outcome, *(f"{name} {value!r}" for name, value in limits.items() if value is not None)]
        properties.append({"name": f"edgekit:gate:{gate.name}", "value": "; ".join(words)})
    return properties


def _gate(gate: GateResult, report: Report) -> dict[str, Any]:
    low, high = gate.low, gate.high
    if low is None and gate.name == "accuracy_drop" and report.accuracy_drop_bounds:
        low, high = report.accuracy_drop_bounds.low, report.accuracy_drop_bounds.high
    score = report.reference.score
    if low is None and gate.name == "reference_accuracy" and score:
        low, high = score.low, score.high
    return _metric(gate.name, gate.value, gate.worst or ALL, low, high)


def _scores(report: Report) -> Iterator[dict[str, Any]]:
    for name, side in (("reference", report.reference), ("candidate", report.candidate)):
        if side.score:
            kind = f"{side.score.name} of the {name}"
            yield _metric(kind, side.score.value, ALL, side.score.low, side.score.high)


def _slices(report: Report) -> Iterator[dict[str, Any]]:
    if report.slices is None:
        return
    for each in (*report.slices.slices, *report.slices.classes):
        if each.judged:
            yield _metric("accuracy_drop", each.drop, each.name, each.low, each.high)


def _metric(kind: str, value: float | None, part: str, low: float | None, high: float | None) -> dict[str, Any]:
    metric: dict[str, Any] = {"type": line(kind, MAX_WORDS), "value": repr(value), "slice": line(part, MAX_WORDS)}
    if low is not None and high is not None:
        metric["confidenceInterval"] = {"lowerBound": repr(low), "upperBound": repr(high)}
    return metric
