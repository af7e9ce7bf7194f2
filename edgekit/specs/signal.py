"""Signal that an input holds, where `[inputs]` does not tell otherwise (`signal` of an input in `edgekit.toml`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edgekit.specs.audio import Rate
from edgekit.specs.spec import Spec, Whole

SignalKind = Literal["recordings", "series", "spectrograms", "none"]


class SignalSpec(Spec):
    """Kind of a signal, which decides what may happen to it in the field (docs/robustness-signals.md).

    `signal = "series"` is short for `signal = { kind = "series" }`.
    """

    kind: SignalKind
    """`recordings` are sound as waves, `series` readings of sensors, `spectrograms` sound that the data set has made
    spectra of; `none` is left as it is."""
    rate: Rate | None = None
    """Samples a second of recordings."""
    time: Annotated[Whole, Field(ge=0)] | None = None
    """Axis of one sample that is the time: by default the last one of recordings and spectrograms, the first of series.
    """
