"""Trials of precision repair so far: they count evaluations, judge recipes, and measure whose noise is left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgekit.errors import PassError
from edgekit.passes.sensitivity.exceptions import (
    RANGE_SEARCH,
    JointRounding,
    WorkShare,
    dynamic_names,
    joint_roundings,
    price,
)
from edgekit.passes.sensitivity.judge import MixedScore
from edgekit.passes.sensitivity.mixed_precision import PrecisionSearch
from edgekit.passes.sensitivity.noise_shares import noise_shares
from edgekit.passes.sensitivity.repair_trial import RepairTrial
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.fx import GraphModule

EVALUATIONS = 20
"""Most recipes that are tried after the plain one."""
ABORT_S = 3600.0
"""Time after which the search is refused. It never chooses less for lack of time: that would be another file."""
PROBED = 8
"""Most samples on which the noise of each rounding is measured."""
HOLDS_DB, REPAIRED_DB = 25.0, 29.0
"""Least SQNR of plain int8, and of a repaired recipe, where too few samples are held out to tell the agreement.

On other samples a recipe that was chosen by twelve was up to 5 dB worse.
"""
DECISIVE = 100
"""Number of held-out samples from which agreement alone decides: one of them is a hundredth."""
GAIN_DB = 0.5
"""Least gain of a recipe without more exceptions: less is chance."""


@dataclass
class RepairTrials:
    """Trials of one search, and what it has measured."""

    problem: PrecisionSearch
    tried: list[RepairTrial] = field(default_factory=list)
    evaluations: int = 0
    started: float = field(default_factory=time.monotonic)
    work: dict[str, WorkShare] = field(default_factory=dict)
    """Share of each operator with weights in the work of all, by name."""
    roundings: list[JointRounding] = field(default_factory=list)
    """Roundings of the best recipe without exceptions, the noisiest first."""

    @property
    def prices(self) -> dict[str, float]:
        """Share of each operator in the multiply-accumulates or the weights of all, whichever is more, by name."""
        return {name: max(share) for name, share in self.work.items()}

    @property
    def is_left(self) -> bool:
        """True if another recipe may be tried."""
        return self.evaluations <= EVALUATIONS

    def measure(self, prepared: GraphModule) -> float:
        """Measure the noise of each rounding. Returns that of all."""
        shares = noise_shares(prepared, self.problem.samples[:PROBED])
        self.roundings = joint_roundings(prepared, shares)
        return sum(shares.values())

    def count(self) -> None:
        """Count an evaluation. Raises PassError if the search has taken too long."""
        if time.monotonic() - self.started > ABORT_S:
            raise PassError(
                f"precision repair tried {self.evaluations} of up to {EVALUATIONS + 1} recipes in "
                f"{ABORT_S / 60:.0f} minutes; it chooses nothing for lack of time",
                hint="--set profile.quantize.samples=64 for fewer calibration samples, or --profile int8-plain",
            )
        self.evaluations += 1

    def judged(self, change: str, recipe: Quantize, prepared: GraphModule) -> RepairTrial:
        score = self.problem.score(prepared)
        dynamic = len(dynamic_names(prepared))
        trial = RepairTrial(change, recipe, score, self._holds(score), dynamic=dynamic)
        cost = price(trial.exceptions, self.prices) + RANGE_SEARCH * dynamic
        self.tried.append(replace(trial, price=cost))
        return self.tried[-1]

    def _holds(self, score: MixedScore) -> bool:
        count = len(self.problem.judge.samples)
        if count >= DECISIVE:
            return score.meets(self.problem.limits)
        # One class of few is more than the limit, and may be chance: the SQNR decides with the others. Of a metric such
        # as PSNR no sample is worth so much: a mean that is missed without the worst is missed.
        is_met = score.meets(self.problem.limits) or score.spared().meets(self.problem.limits)
        return is_met and score.sqnr_db >= (REPAIRED_DB if self.tried else HOLDS_DB)
