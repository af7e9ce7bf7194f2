"""A meter of energy that is connected to this machine, not to the device: a plug-in, `edgekit.meters`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from edgekit import plugins
from edgekit.errors import ProbeError


@dataclass(frozen=True)
class Reading:
    """What a meter saw of one span."""

    joules: float
    seconds: float
    method: str
    """The meter, and how it was read."""
    uncertainty: float
    """A share of `joules`: the meter's own, and what its rate leaves open."""


class Meter(Protocol):
    """What an entry point of `edgekit.meters` makes when it is called without arguments.

    It measures the device by itself, and must be read often enough for that by a thread of its own. `start` and
    `stop` are called in turn, several times. Both raise ProbeError if the meter does not answer.
    """

    def start(self) -> None:
        """From now on."""

    def stop(self) -> Reading:
        """Until now."""


def load_meter(name: str) -> Meter:
    """A meter of the kind that registers as `name`.

    Raises UnknownName (with the nearest), Ambiguous, MissingExtra, and ProbeError if the meter cannot be opened.
    """
    made: Meter = plugins.load("meters", name)()
    return made


def checked(reading: Reading, name: str) -> Reading:
    """The reading, if it can be one. Raises ProbeError if its numbers make no sense: it is somebody else's code."""
    numbers = (reading.joules, reading.seconds, reading.uncertainty)
    if not all(map(math.isfinite, numbers)) or reading.joules < 0 or reading.seconds <= 0 or reading.uncertainty < 0:
        raise ProbeError(f"the meter '{name}' says {reading.joules} J in {reading.seconds} s, ± {reading.uncertainty}")
    return reading
