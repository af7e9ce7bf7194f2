"""Trials of precision repair, and the result that they lead to."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.passes.sensitivity.exceptions import WorkShare
from edgekit.passes.sensitivity.judge import MixedScore
from edgekit.specs.compression import Quantize

NOTHING = WorkShare(0.0, 0.0)


@dataclass(frozen=True)
class RepairTrial:
    """One recipe and its score."""

    change: str
    """Difference from plain int8, in words."""
    recipe: Quantize
    score: MixedScore
    met: bool
    price: float = 0.0
    """Price of its operators in float: the share of all work, and little for each (`exceptions.price`); of those that
    round their inputs at run time, less for each."""
    dynamic: int = 0
    """Number of operators that round their inputs at run time."""

    @property
    def exceptions(self) -> tuple[str, ...]:
        """Operators in float."""
        return tuple(name for name, precision in self.recipe.overrides.items() if precision == "float32")

    @property
    def quality(self) -> tuple[float, float, float]:
        """Order of trials that do not hold: by agreement, then SQNR, then the work in integers."""
        return self.score.agreement, self.score.sqnr_db, -self.price


@dataclass(frozen=True)
class RepairResult:
    """Recipe that was chosen, all trials in order, the plain one first, and the noisiest rounding of the plain one."""

    trials: tuple[RepairTrial, ...]
    chosen: RepairTrial
    worst: str = ""
    """Value whose rounding makes most of the noise; empty if it was not measured."""
    worst_share: float = 0.0
    samples: int = 0
    """Number of held-out samples."""
    in_float: WorkShare = NOTHING
    """Work of the operators that the chosen recipe leaves in float."""

    @property
    def plain(self) -> RepairTrial:
        return self.trials[0]
