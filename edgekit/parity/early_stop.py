"""Early stop of a measurement: the looks at its answers, and the confidence that is left for a bound at each."""

from __future__ import annotations

from pydantic import Field

from edgekit.ir.record import Record
from edgekit.parity.statistics.sequential import look_confidences

CONFIDENCE = 0.95
"""Confidence at which a gate that states none is decided before all samples were asked."""


class EarlyStop(Record):
    """Sequential looks at the answers of a device, which is asked no more once they decide every gate on answers."""

    asked: int = Field(ge=1)
    """Samples that were asked."""
    of: int = Field(ge=1)
    """Samples that would have been asked without a decision."""
    looks: tuple[int, ...] = Field(min_length=1)
    """Numbers of samples after which a look was planned, ascending; the last is `of`."""
    reason: str
    """Reason to stop there, a clause."""

    def stated(self, confidence: float | None) -> float | None:
        """Confidence of a gate's bounds over all looks together; None where its value is taken as it is."""
        return confidence or (CONFIDENCE if self.asked < self.of else None)

    def confidence(self, confidence: float | None) -> float | None:
        """Confidence of a bound at the last look that was taken; None where the value is taken as it is.

        confidence: what the gate states. Where it states none, all samples decide without an interval, and fewer by
        one at `CONFIDENCE`.
        """
        stated = self.stated(confidence)
        return stated and look_confidences(self.looks, stated)[self.looks.index(self.asked)]
