"""Outcome of a compressed network as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.ir.plural import counted
from edgekit.tasks.metric import SHARE

NEGLIGIBLE = 0.0005
"""Loss that is told as none."""


@dataclass(frozen=True)
class NetworkOutcome:
    """Agreement and accuracy of the network against the float one, on samples that it was not calibrated with."""

    agreement: float
    accuracy_drop: float | None
    """Accuracy lost against the float network; None where there are no labels to score."""
    samples: int
    agreement_min: float = 0.95
    accuracy_drop_max: float = 0.01
    """Limits of the profile's gates, or these defaults."""
    agreement_high: float | None = None
    accuracy_drop_low: float | None = None
    """Bounds of the two on the good side; None where they are exact."""
    unit: str = SHARE
    """Unit of the metric (`Metric.unit`): a loss is in points of a share, and relative for any other."""
    training: str | None = None
    """Override that calibrates with the project's training data; None where it would change nothing."""

    @property
    def good(self) -> bool:
        """True if it keeps the limits, as far as the samples can tell."""
        agreement = self.agreement if self.agreement_high is None else self.agreement_high
        drop = self.accuracy_drop if self.accuracy_drop_low is None else self.accuracy_drop_low
        return agreement >= self.agreement_min and (drop is None or drop <= self.accuracy_drop_max)

    def __str__(self) -> str:
        alike = f"agrees with the float model to {self.agreement:.1%} on {counted(self.samples, 'sample')}"
        if self.accuracy_drop is None:
            return alike
        if self.accuracy_drop <= NEGLIGIBLE:
            return f"{alike}, and loses no accuracy"
        chance = self.accuracy_drop_low is not None and self.accuracy_drop_low <= 0
        doubt = ", which may be chance" if chance else ""
        return f"{alike}, and loses {accuracy_lost(self.accuracy_drop, self.unit)}{doubt}"


def accuracy_lost(loss: float, unit: str) -> str:
    """Text of a loss that a metric of this `unit` has: `1.2 points of accuracy`, or `1.2 % of the metric's value`."""
    return f"{100 * loss:.1f} points of accuracy" if unit == SHARE else f"{100 * loss:.1f} % of the metric's value"
