"""Pareto front of runs: those that no other run beats in both of two figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PlotPoint:
    """One run in a plot."""

    number: int
    """Number of its row in the table."""
    x: float
    """Cost, such as bytes or nanoseconds: less is better."""
    y: float
    """Metric."""
    kind: str
    """Backend, which has a mark of its own."""
    verdict: str


def pareto_front(points: Sequence[PlotPoint], higher_is_better: bool) -> tuple[PlotPoint, ...]:
    """Points that no other beats: none costs as little and is better, or costs less and is as good. Sorted by cost."""
    front: list[PlotPoint] = []
    for point in sorted(points, key=lambda each: (each.x, -each.y if higher_is_better else each.y, each.number)):
        best = front[-1] if front else None
        if best is None or (point.y > best.y if higher_is_better else point.y < best.y):
            front.append(point)
    return tuple(front)
