"""Outcome of a compressed network as a whole."""

from __future__ import annotations

from dataclasses import dataclass


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
    training: str | None = None
    """Override that calibrates with the project's training data; None where it would change nothing."""

    @property
    def good(self) -> bool:
        """True if it keeps the limits, as far as the samples can tell."""
        agreement = self.agreement if self.agreement_high is None else self.agreement_high
        drop = self.accuracy_drop if self.accuracy_drop_low is None else self.accuracy_drop_low
        return agreement >= self.agreement_min and (drop is None or drop <= self.accuracy_drop_max)

    def __str__(self) -> str:
        alike = f"answers {self.agreement:.1%} of {self.samples} samples as the float model does"
        if self.accuracy_drop is None:
            return alike
        points = 100 * self.accuracy_drop
        if points <= 0.05:
            return f"{alike}, and loses no accuracy"
        chance = self.accuracy_drop_low is not None and self.accuracy_drop_low <= 0
        return f"{alike}, and loses {points:.1f} points of accuracy{', which may be chance' if chance else ''}"
