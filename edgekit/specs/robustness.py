"""Perturbed samples that a profile or a project has measured (`[robustness]`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.specs.spec import Spec, Whole

RobustnessMeasure = Literal["natural", "systematic", "shift", "all"]


class RobustnessSpec(Spec):
    """Perturbed samples that both endpoints are asked beside the evaluation set (docs/robustness.md)."""

    measure: RobustnessMeasure | None = None
    """Perturbations that are measured, beside those of the gates that are named."""
    samples: Whole | None = Field(default=None, gt=0)
    """Number of evaluation samples that are perturbed; by default 1,000 at most, on an emulated device 20 or what its
    gates need, and on a slow one as many as it answers within `probe.accuracy_limit_s`."""
