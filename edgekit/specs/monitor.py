"""Gates on what a served model is asked and answers, and how surely an alarm is one (`[monitor]` of a profile)."""

from __future__ import annotations

from pydantic import Field, model_validator

from edgekit.specs.spec import Real, Spec, Whole


class MonitorLimit(Spec):
    """Greatest value of a quantity of served requests."""

    max: Real = Field(ge=0)


class MonitorSpec(Spec):
    """Settings and gates of `edgekit monitor` (docs/monitor.md). They travel in the bundle, which is signed."""

    rows: Whole = Field(default=250, ge=100, le=1_000_000)
    """Answers that are judged together, at least: below, nothing is told."""
    needed: Whole = Field(default=2, ge=1, le=100)
    """Windows that must miss a gate, of the last `of`, before it is an alarm."""
    of: Whole = Field(default=3, ge=1, le=100)
    false_alarms: Real = Field(default=0.05, gt=0, lt=0.5)
    """Share of the weeks in which nothing changes that may have an alarm, over all gates that are estimated."""
    estimated_drop: MonitorLimit | None = MonitorLimit(max=0.03)
    """Accuracy at commit less the accuracy that the answers tell now: 0.01 is one point."""
    input_shift: MonitorLimit | None = MonitorLimit(max=0.2)
    """Largest distance of a signal's distribution from that of the evaluation set, in [0, 1]: Kolmogorov-Smirnov's of
    inputs and confidence, total variation of the predicted classes."""
    latency_p90_ms: MonitorLimit | None = None
    """Time from a request's arrival to its answer that nine of ten requests keep."""
    error_rate: MonitorLimit | None = MonitorLimit(max=0.01)
    """Share of the requests that were not answered through no fault of the client's."""

    @model_validator(mode="after")
    def _possible(self) -> MonitorSpec:
        if self.needed > self.of:
            raise ValueError("'needed' is more than 'of': there could be no alarm")
        return self
