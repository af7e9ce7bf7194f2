"""Energy of one inference, by a sensor of the machine itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..machine.energy import PERIOD_S, EnergyMeter

Sample = TypeVar("Sample")
LEAST_S = 1.0
"""Length of the span that is measured, in seconds: a thousand updates of a processor's counter."""


def inference_energy(
    call: Callable[[Sample], Any], samples: Sequence[Sample], meter: EnergyMeter | None
) -> dict[str, Any] | None:
    """Measure what one inference draws, with all that the machine draws meanwhile; None without a sensor.

    A model that is warm runs over the samples, in turns, for LEAST_S. Returns `joules` of one inference, `uncertainty`
    as a share of them, the `method`, and `whole`: false if the sensor sees the processor only, and no accelerator
    beside it.
    """
    if meter is None:
        return None
    count = 0
    meter.start()
    looked = begun = time.monotonic()
    while (now := time.monotonic()) < begun + LEAST_S or not count:
        if now >= looked + PERIOD_S:
            meter.look()
            looked = now
        call(samples[count % len(samples)])
        count += 1
    reading = meter.stop()
    if reading is None:
        return None
    return {
        "joules": reading["joules"] / count,
        "uncertainty": reading["uncertainty"],
        "method": reading["method"],
        "whole": meter.whole,
    }
