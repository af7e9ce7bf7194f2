"""Pareto plots of an atlas: a metric against size and against latency, a pair for each project and metric."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.atlas.catalogue import RunEntry
from edgekit.atlas.pareto import PlotPoint, pareto_front
from edgekit.atlas.run_figures import valid_latency_ns
from edgekit.atlas.scatter_svg import Scatter
from edgekit.parity.gate_texts import decimal, metric_value, milliseconds
from edgekit.untrusted.sanitize import MAX_WORDS, line

Numbered = Sequence[tuple[int, RunEntry]]


def metric_groups(rows: Numbered) -> list[tuple[str, list[tuple[int, RunEntry]]]]:
    """Runs with a metric, by project and metric: only these are of one scale. Each after its title."""
    groups: dict[str, list[tuple[int, RunEntry]]] = {}
    for number, entry in rows:
        score = entry.report.candidate.score
        if score:
            groups.setdefault(f"{entry.project}: {score.name}", []).append((number, entry))
    return sorted(groups.items())


def plots_of(title: str, rows: Numbered, kinds: Sequence[str]) -> list[Scatter]:
    """Plots of one group: against size, and against latency where that was measured on the target, validly."""
    sized = [_point(number, entry, entry.report.artifact.size_bytes) for number, entry in rows]
    timed = [
        _point(number, entry, latency)
        for number, entry in rows
        if (latency := valid_latency_ns(entry.report)) is not None
    ]
    score = rows[0][1].report.candidate.score
    assert score is not None  # of every run of a group
    plots: list[Scatter] = []
    for name, points, show in (
        ("size of the model", sized, lambda value: f"{decimal(value / 1e3, 1)} kB"),
        ("median latency", timed, lambda value: milliseconds(value / 1e6)),
    ):
        if not points:
            continue
        front = pareto_front(points, score.higher_is_better)
        best = ", ".join(str(point.number) for point in front)
        drawn = ": the dashed line" if len(front) > 1 else ""
        plots.append(
            Scatter(
                title=line(f"{title} against {name}", MAX_WORDS),
                description=f"{len(points)} of {len(rows)} runs. No other run beats {best}{drawn}.",
                x_label=name,
                y_label=line(score.name, MAX_WORDS),
                points=points,
                front=front,
                kinds=kinds,
                show_x=show,
                show_y=lambda value: metric_value(value, score.unit),
            )
        )
    return plots


def _point(number: int, entry: RunEntry, x: float) -> PlotPoint:
    score = entry.report.candidate.score
    assert score is not None  # of every run of a group
    return PlotPoint(number, float(x), score.value, entry.report.backend, entry.report.verdict)
