"""Recordings of any rate and number of channels, made what a network takes (`audio` of an input in `edgekit.toml`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from edgekit.runner.errors import RunnerError
from edgekit.runner.processing.resample import ratio
from edgekit.specs.spec import Spec, Whole

Rate = Annotated[Whole, Field(gt=0, le=1 << 20)]


class Audio(Spec):
    """Recording to samples of the network's rate: one channel, resampled, and cut or filled up to a number."""

    rate: Rate | None = None
    """Samples a second that the network takes; that of `log_mel` where there is one."""
    from_: Rate | None = Field(default=None, alias="from")
    """Samples a second of recordings that do not state their own, such as arrays; `rate` if it is not stated."""
    channel: Annotated[Whole, Field(ge=0, lt=64)] | None = None
    """Number of the channel, 0 is the left one; the mean of all if it is not stated."""
    fit: Literal["exact", "start", "centre"] = "exact"
    """Recordings of another length: refused; or their start or centre is taken, and silence fills up what lacks."""

    @model_validator(mode="after")
    def _resamples(self) -> Audio:
        if self.rate and self.from_:
            try:
                ratio(self.from_, self.rate)
            except RunnerError as error:
                raise ValueError(str(error)) from error
        return self

    def settings(self, rate: int, samples: int | None, dtype: str) -> dict[str, Any]:
        """Settings as the runner and the manifest of a bundle take them (`runner/processing/audio`).

        rate: of `log_mel`, where there is one. samples: those that the network takes; None if their number is free.
        """
        own = self.rate or rate
        return {
            "rate": own,
            "from": self.from_ or own,
            "channel": self.channel,
            "samples": samples,
            "fit": self.fit,
            "dtype": dtype,
        }
