"""How a compressed network answers as a whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkOutcome:
    """How the network answers as a whole, against the float one, on samples that it was not calibrated with."""

    agreement: float
    accuracy_drop: float | None
    """None where there are no right answers to count."""
    samples: int
    agreement_min: float = 0.95
    accuracy_drop_max: float = 0.01
    """What the profile's gates ask for, or these."""
    agreement_high: float | None = None
    accuracy_drop_low: float | None = None
    """Bounds on the side of a good end, where so few samples leave some room."""
    training: str | None = None
    """How the project's training data are named, where they could calibrate."""

    @property
    def good(self) -> bool:
        """Whether it keeps what is asked for, as far as the samples can tell."""
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
