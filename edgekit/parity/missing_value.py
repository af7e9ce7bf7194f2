"""Missing value of a quantity that was not measured, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MissingValue:
    """Reason why a quantity was not measured: a clause, which ends with what to do where there is anything."""

    reason: str
    outcome: Literal["undecided", "not measurable"] = "not measurable"
    """Outcome of a gate on it: `undecided` where another run decides it."""
    value: float | None = None
    """Value that is shown, and not compared with a gate's limits; None for none."""
    vacuous: bool = False
    """True if there is nothing that could miss the limit: then no gate is open for want of it."""
    more: bool = False
    """True if more samples of the evaluation set would decide it: a gate's words end with how to get them."""
