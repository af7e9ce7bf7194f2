"""Widths of the pruning groups: by a fixed ratio, or along a path that takes the cheapest step first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from edgekit.errors import PassError
from edgekit.passes.pruning.groups import PruningGroup

Widths = Mapping[str, int]
"""Number of units that stay, by group name."""


def by_ratio(groups: Sequence[PruningGroup], ratio: float) -> Widths:
    """Widths that remove the share `ratio` of each group, rounded to its step.

    Raises PassError if none is left of one.
    """
    widths = {}
    for group in groups:
        target = group.size * (1 - ratio)
        if target < 1:
            name = group.name.removeprefix("model.")
            raise PassError(
                f"[prune] ratio {ratio:g} would empty '{name}', which has {group.size}",
                hint=f'lower ratio, or skip = ["{name}"]',
            )
        multiple = max(1, math.floor(target / group.step + 0.5)) * group.step
        widths[group.name] = min(group.size, multiple)
    return widths


def path(
    groups: Sequence[PruningGroup], scores: Mapping[str, Tensor], macs: Mapping[str, float]
) -> Iterator[tuple[Widths, float]]:
    """Path from the whole network to the narrowest one: widths, and the multiply-accumulates of their layers.

    Each step removes the units with the least cost for each multiply-accumulate saved. Cost is the fall of the
    logarithm of the remaining importance: removing half of it costs the same in a wide and in a narrow layer. macs: by
    layer name, of every layer that a group reaches, at full width.
    """
    widths = {group.name: group.size for group in groups}
    remaining = {group.name: _log_importance(scores[group.name]) for group in groups}
    now = predicted(groups, macs, widths)
    yield dict(widths), now
    while True:
        steps = []
        for group in groups:
            narrower = (widths[group.name] - 1) // group.step * group.step
            if narrower < 1:
                continue
            tried = predicted(groups, macs, {**widths, group.name: narrower})
            cost = remaining[group.name][widths[group.name]] - remaining[group.name][narrower]
            steps.append((cost / max(now - tried, 1e-9), group.name, narrower, tried))
        if not steps:
            return
        _, name, widths[name], now = min(steps)
        yield dict(widths), now


def _log_importance(scores: Tensor) -> list[float]:
    """Logarithm of the summed importance of the best 0, 1, 2 … units."""
    best = scores.double().clamp(min=0).sort(descending=True).values
    best = best + best.sum() * 1e-6 + 1e-30  # a unit that is all zeros costs something too
    return [-math.inf, *best.cumsum(0).log().tolist()]


def predicted(groups: Sequence[PruningGroup], macs: Mapping[str, float], widths: Widths) -> float:
    """Multiply-accumulates of the layers in `macs` at these widths."""
    shares: dict[tuple[str, str], float] = {}
    for group in groups:
        gone = group.size - widths[group.name]
        for part in group.parts:
            side = (part.layer, part.side)
            shares[side] = shares.get(side, 1.0) - gone * part.per_unit / part.total
    return sum(count * shares.get((name, "in"), 1.0) * shares.get((name, "out"), 1.0) for name, count in macs.items())
