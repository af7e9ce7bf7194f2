"""Parts that an operator joins though their values differ much in range, such as boxes in pixels and scores below 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.ir.layers import Layer

KINDS = ("cat", "stack")
UNEVEN = 8.0
"""Ratio of magnitudes from which one scale leaves the smaller part fewer than 16 steps of 127."""


@dataclass(frozen=True)
class JoinedRanges:
    """An operator, and the two of its parts that differ most."""

    join: Layer
    large: Layer
    small: Layer
    ratio: float
    """Magnitude that 99.9 % of the values of the large part do not exceed, over that of the small one."""


def joined_ranges(layers: Sequence[Layer]) -> JoinedRanges | None:
    """The most uneven of the quantized joins, if its parts differ `UNEVEN` times or more."""
    sources = {layer.node: layer for layer in layers}
    joins = [_of(layer, sources) for layer in layers if layer.kind in KINDS and layer.quantized]
    uneven = [join for join in joins if join and join.ratio >= UNEVEN]
    return max(uneven, key=lambda join: join.ratio, default=None)


def _of(join: Layer, sources: Mapping[str, Layer]) -> JoinedRanges | None:
    parts = [sources[node] for node in join.inputs if node in sources]
    sized = sorted((part for part in parts if part.activation_p999), key=lambda part: part.activation_p999 or 0.0)
    if len(sized) < 2:
        return None
    small, large = sized[0], sized[-1]
    return JoinedRanges(join, large, small, (large.activation_p999 or 0.0) / (small.activation_p999 or 1.0))
