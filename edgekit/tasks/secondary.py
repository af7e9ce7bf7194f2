"""Secondary figures of a task: what is measured beside the metric, and no gate bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.tasks.metric import SHARE


@dataclass(frozen=True, kw_only=True)
class SecondaryFigure:
    """Figure of both endpoints, such as another metric, or one of the pair, such as a divergence."""

    name: str
    unit: str = SHARE
    """`share` for a figure in [0, 1]; else the unit of its values, such as `dB`, or empty for plain numbers."""
    reference: float | None = None
    """Figure of the reference; null where it is one of the pair."""
    candidate: float
    """Figure of the candidate, or of the pair."""


def finite(figures: Iterable[SecondaryFigure]) -> tuple[SecondaryFigure, ...]:
    """Leave out figures that are NaN or infinite, which no report holds."""
    return tuple(one for one in figures if math.isfinite(one.candidate) and math.isfinite(one.reference or 0.0))
