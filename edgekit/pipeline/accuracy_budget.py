"""Accuracy budget: number of evaluation samples that a device answers in the time that the profile allows."""

from __future__ import annotations

from edgekit.devices.flash import Installation
from edgekit.measure.device.installed_bundle import Installed
from edgekit.samples import Samples

ALWAYS_ENOUGH = 1000
"""Fewest samples that any device answers, however slow: they tell an accuracy of 90 % to within 1.9 points."""


def is_large(installation: Installation, samples: Samples) -> bool:
    """True if the set may be more than the device answers in time. An emulated device has a limit of its own."""
    return installation.transport.kind != "emulated" and len(samples) > ALWAYS_ENOUGH


def affordable(installation: Installation, samples: Samples, limit_s: float) -> int:
    """Number of `samples` that the device answers in `limit_s` seconds, by its pace on a few; ALWAYS_ENOUGH at least.

    Raises what a probe does.
    """
    each_s = Installed(installation).seconds_a_sample(samples)
    return min(len(samples), max(ALWAYS_ENOUGH, int(limit_s / each_s)))
