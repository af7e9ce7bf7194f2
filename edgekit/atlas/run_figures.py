"""Figures of a run as cells of a table."""

from __future__ import annotations

from edgekit.atlas.catalogue import RunEntry
from edgekit.parity.gate_texts import decimal, loss_value, metric_value, milliseconds
from edgekit.report.report import Report

HEADER = (
    *("project", "target", "backend", "profile", "verdict", "metric", "lost", "size", "of float", "latency"),
    *("energy", "measured", "gates not passed", "folder"),
)


def figures(entry: RunEntry) -> tuple[str, ...]:
    """Cells of a run, in the order of HEADER. What was not measured is `-`."""
    report = entry.report
    score, energy = report.candidate.score, report.candidate.energy
    latency = valid_latency_ns(report)
    return (
        entry.project,
        report.target,
        report.backend,
        report.profile,
        report.verdict,
        f"{score.name} {metric_value(score.value, score.unit)}" if score else "-",
        loss_value(report.accuracy_drop, score.unit) if score and report.accuracy_drop is not None else "-",
        f"{decimal(report.artifact.size_bytes / 1e3, 1)} kB",
        f"{report.artifact.size_ratio:.2f}",
        milliseconds(latency / 1e6) if latency is not None else "-",
        f"{energy.joules:.4g} J" if energy else "-",
        _where(report),
        ", ".join(f"{gate.name} ({gate.outcome})" for gate in report.gates if gate.outcome != "passed") or "-",
        entry.place,
    )


def valid_latency_ns(report: Report) -> int | None:
    """Median latency in nanoseconds; None if it was not measured, is not valid, or is not the target's."""
    latency = report.candidate.latency
    return latency.p50_ns if latency.valid and not report.host_stand_in else None


def _where(report: Report) -> str:
    if report.device is None:
        return "build, on the host"
    return "run, on the host in its place" if report.host_stand_in else f"run, {report.candidate.kind}"
